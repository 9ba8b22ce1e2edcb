"""One case of a data set, and what its check read of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of its channels, in order; a file may hold several."""
        return (self.image, *self.further)


@dataclass(frozen=True)
class CaseFacts:
    """What the check read of one case, on the canonical (nearest RAS) axes.

    `values` are the image's smallest and largest value, `foreground` a sample of its values in labelled voxels; both of
    its first channel.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    voxels: dict[int, int]  # label value -> count
    content: str  # hash of the image's voxels
    values: tuple[float, float] = (0.0, 0.0)
    foreground: tuple[float, ...] = ()
    channels: int = 1
