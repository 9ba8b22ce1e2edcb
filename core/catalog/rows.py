"""What the catalog's tables hold, as values that do not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.catalog.database import plain
from core.errors import CatalogError

RunState = Literal["queued", "running", "paused", "finished", "stopped", "failed", "interrupted"]
LIVE_STATES = ("queued", "running", "paused")
DAMAGED_SUMMARY = "The final figures that the catalog keeps of this run are damaged."


@dataclass(frozen=True)
class RunRow:
    """One training run. `config` is its YAML; `summary` its final metrics; times are seconds since the epoch."""

    id: str
    name: str
    task: str
    state: RunState
    config: str
    data_path: str
    folder: Path
    created: float
    started: float | None
    ended: float | None
    heartbeat: float | None
    pid: int | None
    host: str | None
    epoch: int
    epochs: int
    summary: dict[str, Any]
    error: str | None
    run_group: str | None = None  # of a cross-validation
    fold: int | None = None  # counted from 0

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES

    @classmethod
    def read(cls, row: dict[str, Any]) -> RunRow:
        """A run whose figures are damaged is still there to be looked at, gone on with and published; it says so."""
        try:
            summary = plain(row["summary"] or "{}")
        except CatalogError:
            summary = None
        if not isinstance(summary, dict):
            summary, row = {}, {**row, "error": row["error"] or DAMAGED_SUMMARY}
        return cls(**{**row, "folder": Path(row["folder"] or ""), "config": row["config"] or "", "summary": summary})


@dataclass(frozen=True)
class MetricPoint:
    """One value of one metric. `id` grows with time, so a reader asks for what came after the last it saw."""

    id: int
    key: str
    step: int
    epoch: int
    value: float
    time: float


@dataclass(frozen=True)
class EventRow:
    id: int
    time: float
    level: str
    message: str


@dataclass(frozen=True)
class CheckpointRow:
    id: int
    run: str
    kind: Literal["best", "last"]
    path: Path
    sha256: str
    size: int
    epoch: int
    step: int
    metric: str | None
    value: float | None
    time: float


@dataclass(frozen=True)
class PredictionRow:
    """scan: the file that was predicted; of another task a table, a stay or a subject's first image.

    task: of the model. answer: in words, where it is no segmentation. given: what was put in beside the file, plain
    values by name, so that the page of its task can show it again.
    """

    id: int
    scan: Path
    model: str
    model_version: str
    output: Path
    sha256: str
    structures: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    seconds: float
    device: str
    time: float
    series: str = ""  # of a DICOM folder, the UID of the series
    task: str = "segmentation"
    answer: str = ""
    given: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, row: dict[str, Any]) -> PredictionRow:
        """Raises CatalogError where its plain values are damaged."""
        changed = {
            "scan": Path(row["scan"]), "output": Path(row["output"]),
            "structures": plain(row["structures"]), "findings": plain(row["findings"]),
            "given": plain(row["given"]),
        }  # fmt: skip
        return cls(**{**row, **changed})
