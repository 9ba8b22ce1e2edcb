"""sqlite-utils without pandas, which it imports where it finds it (0.1 to 0.2 s) and only needs for data frames."""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_hidden = "pandas" not in _modules
if _hidden:
    _modules["pandas"] = None
try:
    from sqlite_utils import Database, Migrations
finally:
    if _hidden:
        del _modules["pandas"]

__all__ = ["Database", "Migrations"]
