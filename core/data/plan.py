"""The plan: what a network expects of a scan, fixed before training and kept in the model package."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from core.kept import kept_part
from core.registry import Part

PLAN = "plan.yaml"  # in a run's folder

# The class index of voxels that are left out of loss and metrics. Indices have 8 bits: 254 structures at most.
IGNORED = 255


class Label(Part):
    """One structure: the value it has in label files, and its name.

    covers: of a region that may overlap others, all the values in label files that belong to it.
    """

    value: int = Field(ge=1, le=65_535)
    name: str = Field(min_length=1, max_length=120)
    covers: list[int] = Field([], max_length=512)

    @property
    def values(self) -> list[int]:
        """The values in label files that belong to it."""
        return self.covers or [self.value]


class Intensities(Part):
    """How values of a calibrated modality (CT) are scaled: clipped to a range, then by one mean and deviation for all.

    The numbers are those of the labelled voxels of the training scans (Isensee 2021, nnU-Net): percentiles 0.5 and
    99.5, mean and standard deviation.
    """

    low: float
    high: float
    mean: float
    std: float = Field(gt=0)


class Plan(Part):
    """How a scan becomes the network's input and its output becomes labels again.

    spacing_mm: voxel size of the canonical (nearest RAS) grid the network sees.
    patch_size: its window in voxels.
    channels, channel_names: the images of a subject that it takes, in their order; no names where there is but one.
    labels: the structures in the order of the output channels after background; none where no labels are learned.
    modality, shape_range: what the training scans were, for the check of an input.
    ignore_label: the label value of voxels that neither train nor count.
    class_shares: each class's part of the training voxels, background first, where the loss is balanced by it.
    smallest_voxels: the least that any structure takes of the grid in a training scan that has it.
    intensities: the scale shared by all scans; None standardises each scan by itself, as suits MR.
    """

    spacing_mm: tuple[float, float, float]
    patch_size: tuple[int, int, int]
    labels: list[Label] = Field(max_length=512)
    channels: int = Field(1, ge=1, le=16)
    channel_names: list[str] = Field([], max_length=16)
    modality: str = ""
    shape_range: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    ignore_label: int | None = None
    class_shares: list[float] | None = None
    intensities: Intensities | None = None
    smallest_voxels: int | None = None

    @property
    def named_channels(self) -> list[str]:
        """A name for each channel.

        >>> one = Label(value=1, name="One")
        >>> Plan(spacing_mm=(1, 1, 1), patch_size=(8, 8, 8), labels=[one], channels=2).named_channels
        ['channel 1', 'channel 2']
        """
        if len(self.channel_names) == self.channels:
            return list(self.channel_names)
        return [f"channel {number}" for number in range(1, self.channels + 1)]

    @property
    def classes(self) -> int:
        """Classes of a voxel, background included."""
        return len(self.labels) + 1

    @property
    def flat(self) -> int | None:
        """The axis along which a patch is a single slice; None where it is a volume."""
        return self.patch_size.index(1) if 1 in self.patch_size else None

    @property
    def values(self) -> list[int]:
        """The values in label files that are told apart: their places, from 1, are the indices of class maps."""
        if not self.overlapping:
            return [label.value for label in self.labels]
        return sorted({value for label in self.labels for value in label.values})

    @property
    def overlapping(self) -> bool:
        """Whether the labels are regions that may lie in one another: each is then answered yes or no by itself."""
        return any(label.covers for label in self.labels)

    @property
    def outputs(self) -> int:
        """Output channels of the network: one for each class, or one for each region."""
        return len(self.labels) if self.overlapping else self.classes


def load_plan(folder: Path) -> Plan:
    """The plan of a run's folder."""
    return kept_part(folder / PLAN, Plan)
