"""A segmentation with what is known about it: where it lies, what its labels mean, and which model made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.control import JobControl
from core.errors import IsocenterError, UnreadableScan
from core.imaging.geometry import corners_ras_mm
from core.imaging.volume import Volume

if TYPE_CHECKING:
    from core.catalog import PredictionRow

Array = np.ndarray[Any, Any]

_SAME_PLACE_MM = 0.01
_HIGHEST_LABEL = 65_535


@dataclass(frozen=True, eq=False)
class Labelled:
    """A label map: (i, j, k) whole numbers, 0 for nothing, with the affine that places them.

    names: what each label value is; a value without one is called by its number.
    model, version: what made it; empty where that is not known.
    """

    labels: Array
    affine_ras: Array
    names: Mapping[int, str] = field(default_factory=dict)
    model: str = ""
    version: str = ""

    def present(self) -> list[int]:
        """The label values that mark any voxel, in order."""
        return [int(value) for value in np.flatnonzero(np.bincount(self.labels.ravel())) if value]

    def name_of(self, value: int) -> str:
        return self.names.get(value) or f"Label {value}"

    @property
    def made_by(self) -> str:
        return f"{self.model} {self.version}".strip()


def named(structures: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Names by label value, from a prediction's structures."""
    return {int(structure["label"]): str(structure["name"]) for structure in structures}


def read_labelled(
    path: Path, names: Mapping[int, str] | None = None, control: JobControl | None = None
) -> tuple[Labelled, PredictionRow | None]:
    """Read a label map, with the prediction it comes from where the catalog knows this very file.

    names: overrule what the catalog says. Raises UnreadableScan for what is no label map.
    """
    from core.catalog import Catalog
    from core.files import sha256
    from core.imaging.reader import read

    volume = read(path, control)
    labels = as_labels(volume)
    digest = sha256(path) if path.is_file() else ""
    with Catalog() as catalog:
        made = next((row for row in catalog.predictions() if row.sha256 == digest), None)
    if made is None:
        return Labelled(labels, volume.affine_ras, dict(names or {})), None
    known = {**named(made.structures), **(names or {})}
    return Labelled(labels, volume.affine_ras, known, made.model, made.model_version), made


def as_labels(volume: Volume) -> Array:
    """The voxels as whole numbers. Raises UnreadableScan where they are no label map."""
    if volume.source.format.startswith("DICOM"):
        raise _no_labels("these are DICOM images, no label map", volume.source.path)
    if volume.voxels.ndim != 3 or volume.voxels.dtype.kind not in "buif":
        raise _no_labels("this is no label map", volume.source.path)
    scaled = (volume.slope, volume.intercept) != (1.0, 0.0)
    return as_numbers(volume.values() if scaled else volume.voxels, volume.source.path)


def as_numbers(values: Array, where: Path) -> Array:
    """Label values of any type as uint16. Raises UnreadableScan where they are no whole numbers in its range."""
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise _no_labels("the voxels are no whole numbers", where)
    if values.size == 0 or values.min() < 0 or values.max() > _HIGHEST_LABEL:
        raise _no_labels(f"the labels do not lie within 0 to {_HIGHEST_LABEL}", where)
    return np.asarray(values, np.uint16)


def _no_labels(what: str, where: Path) -> UnreadableScan:
    return UnreadableScan(what, where=where, mend="Give a segmentation: whole numbers, 0 for what is no structure.")


def check_same_grid(labelled: Labelled, scan: Volume) -> None:
    """Raise IsocenterError where a label map does not lie voxel on voxel with a scan."""
    fits = labelled.labels.shape == scan.grid_shape
    if fits:
        gap = corners_ras_mm(labelled.affine_ras, scan.grid_shape) - corners_ras_mm(scan.affine_ras, scan.grid_shape)
        fits = bool(np.abs(gap).max() < _SAME_PLACE_MM)
    if not fits:
        raise IsocenterError(
            "the segmentation is on another grid than the scan", where=scan.source.path,
            mend="Give the scan that the segmentation was made on.",
        )  # fmt: skip


def check_not_empty(labelled: Labelled, where: Path) -> list[int]:
    """The labels that mark anything. Raises IsocenterError where none does."""
    present = labelled.present()
    if not present:
        raise IsocenterError(
            "the segmentation marks nothing, so there is nothing to write", where=where, mend="Predict another scan."
        )
    return present
