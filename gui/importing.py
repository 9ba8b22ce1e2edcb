"""Imports beside the window, a thread at a time.

Two threads that import the same libraries in different orders would wait for each other; Python then hands one of them
a half-made module, and a page could not be made (`ImportError: cannot import name`).
"""

from __future__ import annotations

import threading

IMPORTING = threading.RLock()
