"""The set-up scripts are no package: their folder is put on the path, as Python does for a script that is run."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging"
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))
