"""One case of a data set, and what its check read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from core.data.plan import Label


@dataclass(frozen=True)
class Case:
    """One scan with its label map. `subject` groups cases that must stay on one side of a split.

    further: the files of its other channels, where each has one of its own.
    """

    id: str
    image: Path
    label: Path
    subject: str
    further: tuple[Path, ...] = ()
    series: ClassVar[str] = ""

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of its channels, in order; a file may hold several."""
        return (self.image, *self.further)


@dataclass(frozen=True)
class Scan:
    """One scan without labels. `series` tells it from others in a DICOM folder; `further` as of a Case."""

    id: str
    image: Path
    subject: str
    series: str = ""
    further: tuple[Path, ...] = ()
    label: ClassVar[None] = None

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of its channels, in order; a file may hold several."""
        return (self.image, *self.further)


@dataclass(frozen=True)
class CaseFacts:
    """What the check read of one case, on the canonical (nearest RAS) axes.

    `values` are the image's smallest and largest value, `foreground` a sample of its values in labelled voxels, both of
    its first channel; of a scan without labels, in those brighter than its mean.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    voxels: dict[int, int]  # label value -> count
    content: str  # hash of the image's voxels
    values: tuple[float, float] = (0.0, 0.0)
    foreground: tuple[float, ...] = ()
    channels: int = 1


class CheckedCases(Protocol):
    """What planning and splitting ask of a checked data set, labelled or not. facts: of the readable cases, by id."""

    @property
    def path(self) -> Path: ...
    @property
    def modality(self) -> str: ...
    @property
    def channels(self) -> Sequence[str]: ...
    @property
    def cases(self) -> Sequence[Case | Scan]: ...
    @property
    def labels(self) -> Sequence[Label]: ...
    @property
    def regions(self) -> Sequence[Label]: ...
    @property
    def facts(self) -> Mapping[str, CaseFacts]: ...
