"""What a task gives the engine: a run that is ready, data in folds, and what is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.imaging.volume import Finding

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from core.training.module import TaskModule


@dataclass(frozen=True)
class Preparation:
    """A run that is ready to be trained: what is written into its folder, and what its log begins with.

    experiment: with everything filled in that was left to be planned.
    files: the text of each file of the run's folder, by name; `session` reads them again. long_files: as bytes, what
    would be long as text; not of a task with a `trial`.
    """

    experiment: Any
    data_path: Path
    layout: str
    cases: int
    findings: Sequence[Finding]
    files: Mapping[str, str]
    remarks: Sequence[str] = ()
    long_files: Mapping[str, bytes] = field(default_factory=dict)


class Folding(Protocol):
    """Data that were dealt into folds: what a cross-validation records of them, and the run of each fold."""

    @property
    def experiment(self) -> Any:
        """With what was left to be planned filled in, one for all folds."""
        ...

    @property
    def path(self) -> Path: ...
    @property
    def folds(self) -> list[list[str]]:
        """The cases that each fold keeps out."""
        ...

    @property
    def test(self) -> list[str]:
        """The cases that no fold touches."""
        ...

    @property
    def plan(self) -> dict[str, Any]: ...
    @property
    def fingerprint(self) -> str:
        """Equal where the data and their folds are the same."""
        ...

    def preparation(self, fold: int) -> Preparation: ...


@dataclass
class Session:
    """What is fitted: the module, its batches, and callbacks of the task's own.

    module: its validation logs `val/loss` and the monitored metric.
    train, val: Lightning's data loaders; of several processes, each takes its part (`core.data.sharing`).
    callbacks: of the first process only. volumes: whether the network works on volumes, for the memory layout.
    gpu_precision: what the precision `auto` is on a GPU; empty: the one that a probe finds fastest.
    """

    module: TaskModule
    train: Any
    val: Any
    callbacks: list[pl.Callback] = field(default_factory=list)
    volumes: bool = False
    gpu_precision: str = ""
