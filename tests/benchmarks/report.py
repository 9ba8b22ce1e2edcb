"""A figure with its bound, the machine it was measured on, and how both are printed."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """One measured number; `sense` says on which side of the bound it has to be."""

    name: str
    value: float
    unit: str
    bound: float
    sense: Literal["at most", "at least"] = "at most"
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.value <= self.bound if self.sense == "at most" else self.value >= self.bound

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    import psutil

    facts: dict[str, Any] = {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "load_before": round(psutil.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for name in ("PySide6-Essentials", "torch", "lightning", "monai", "openvino", "vtk", "numpy"):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "absent"
    return facts


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(figures: Sequence[Figure], facts: dict[str, Any]) -> str:
    """All figures for reading, the machine below them."""
    rows = [("figure", "measured", "bound", "")]
    for figure in figures:
        passed = "ok" if figure.passed else "FAILS"
        bound = f"{figure.sense} {figure.bound:g} {figure.unit}"
        rows.append((figure.name, f"{figure.value:.3g} {figure.unit}", bound, passed))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, "", ", ".join(f"{name} {value}" for name, value in facts.items())])


def median_of(values: Sequence[float]) -> dict[str, Any]:
    """The spread of repeated measurements, for a figure's detail."""
    ordered = sorted(round(value, 4) for value in values)
    return {"median": statistics.median(ordered), "lowest": ordered[0], "highest": ordered[-1], "times": len(ordered)}
