"""Looks at a window that has just been painted: how long that took, what was imported, and whether it takes a drop."""

from __future__ import annotations

import sys
from typing import Any

from tests.benchmarks.window import report, seconds_since_start

HEAVY = ("torch", "lightning", "monai", "vtkmodules", "vtk")


def inspect(window: Any) -> None:
    seconds = seconds_since_start()
    loaded = sorted(name for name in HEAVY if name in sys.modules)
    from tests.benchmarks.dropping import enter

    report({"seconds": seconds, "heavy": loaded, "takes_drop": enter(window, __file__)})
