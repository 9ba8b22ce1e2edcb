"""Stored predictions: bringing one back onto its scan, with checks."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.control import JobControl
from core.errors import IsocenterError
from core.files import sha256
from core.imaging.volume import Volume
from core.inference.confidence import CODE
from core.inference.sides import SIDES, asymmetries, side
from core.paths import predictions_folder

if TYPE_CHECKING:
    from core.catalog import PredictionRow

SAME_PLACE_MM = 0.01


class StoredPredictionError(IsocenterError):
    """A past prediction that cannot be shown again: a file is gone, changed, or does not fit its scan."""


class Overlay(NamedTuple):
    """A segmentation to lay over a scan: (i, j, k) labels on the scan's own grid, and its structures.

    uncertainty: uint8 on the same grid, in steps of core.inference.uncertainty, where one was kept. calibrated: whether
    the model's probabilities were. time: of a scan of several volumes, the one it was made on, counted from 0.
    """

    labels: np.ndarray[Any, Any]
    structures: list[dict[str, Any]]
    uncertainty: np.ndarray[Any, Any] | None = None
    calibrated: bool = False
    time: int | None = None


def model_gone(row: PredictionRow) -> StoredPredictionError:
    """What is told where the model of a prediction, which names the values, is no longer there."""
    return StoredPredictionError(f"the model {row.model} {row.model_version} is gone", mend="Import it again.")


def check_scan(row: PredictionRow, what: str = "scan") -> None:
    """Raise StoredPredictionError if the scan, or whatever else was predicted, is no longer there."""
    if not row.scan.exists():
        raise StoredPredictionError(
            f"the {what} of this prediction is gone",
            where=row.scan,
            mend="Put it back where it was, then open the prediction again.",
        )


def check_output(row: PredictionRow, what: str) -> None:
    """Raise StoredPredictionError if the file of a prediction is gone, or is not the one that was written."""
    if not row.output.is_file():
        raise StoredPredictionError(
            f"the stored {what} is gone", where=row.output, mend="Predict it again, or put the file back."
        )
    if sha256(row.output) != row.sha256:
        raise StoredPredictionError(
            f"the stored {what} was changed after it was made", where=row.output,
            mend="Predict it again. The changed file itself can still be opened.",
        )  # fmt: skip


def load_overlay(row: PredictionRow, scan: Volume, control: JobControl) -> Overlay:
    """Read a prediction's segmentation for laying it over `scan`.

    Raises StoredPredictionError where the file is gone, is not the one that was written, or is on another grid.
    """
    from core.imaging.reader import read

    control.progress(None, "Checking the segmentation")
    check_output(row, "segmentation")
    control.progress(None, "Reading the segmentation")
    segmentation = read(row.output, control)
    if segmentation.shape != scan.grid_shape or not _same_place(segmentation, scan):
        raise StoredPredictionError(
            "the segmentation does not fit the scan, which is not the one it was made on",
            where=scan.source.path,
            mend="Predict the scan again.",
        )
    map_ = _uncertainty(row.output, scan, control)
    calibrated = any(finding["code"] == CODE for finding in row.findings)
    return Overlay(np.asarray(segmentation.voxels), row.structures, map_, calibrated, row.given.get("time"))


def _uncertainty(segmentation: Path, scan: Volume, control: JobControl) -> np.ndarray[Any, Any] | None:
    """The uncertainty map beside a segmentation; None where there is none, or none that fits."""
    from core.imaging.reader import read
    from core.inference.uncertainty import uncertainty_beside

    path = uncertainty_beside(segmentation)
    if not path.is_file():
        return None
    try:
        kept = read(path, control)
    except IsocenterError:
        return None
    fits = kept.shape == scan.grid_shape and kept.voxels.dtype == np.uint8 and _same_place(kept, scan)
    return np.asarray(kept.voxels) if fits else None


def _same_place(one: Volume, other: Volume) -> bool:
    """Whether both grids' corners lie at the same points of the patient."""
    i, j, k = one.grid_shape
    corners = np.array([(a, b, c, 1) for a in (0, i) for b in (0, j) for c in (0, k)], float).T
    return bool(np.abs((one.affine_ras - other.affine_ras) @ corners).max() < SAME_PLACE_MM)


def own_folder() -> Path:
    """A new folder's name under the home's predictions, so that no result is written over an earlier one."""
    now = time.time_ns()
    day, moment = time.strftime("%Y-%m-%d %H%M%S", time.localtime(now / 1e9)).split()
    return predictions_folder() / day / f"{moment}-{now // 1000 % 1_000_000:06d}"


def remove_unfinished(folder: Path) -> None:
    """Clear away what a prediction that did not end well left in a folder of its own."""
    with suppress(OSError):
        for left in folder.glob(".*.part"):
            left.unlink()
        folder.rmdir()


def totals(structures: Iterable[dict[str, Any]]) -> list[tuple[str, float]]:
    """Volumes in mL in total, and of each side where the structures have sides."""
    structures = list(structures)
    sums = [
        (f"Total, {which}", sum(s["volume_ml"] for s in structures if side(s["name"]) == which))
        for which in SIDES
        if any(side(s["name"]) == which for s in structures)
    ]
    return [*sums, ("Total", sum(s["volume_ml"] for s in structures))] if len(structures) > 1 else []


def volumes_table(rows: Iterable[PredictionRow]) -> list[list[str]]:
    """One line per structure and per left-right pair of each prediction, with a head line: for CSV and clipboard."""
    lines = [
        ["scan", "model", "version", "label", "structure", "voxels", "volume_ml", "confidence", "asymmetry_percent"]
    ]
    for row in rows:
        for s in row.structures:
            confidence = "" if s.get("confidence") is None else f"{s['confidence']:.4f}"
            measured = [str(s["label"]), s["name"], str(s["voxels"]), f"{s['volume_ml']:.4f}", confidence]
            lines.append([str(row.scan), row.model, row.model_version, *measured, ""])
        for one in asymmetries(row.structures):
            percent = "" if one.percent is None else f"{one.percent:.2f}"
            lines.append([str(row.scan), row.model, row.model_version, "", one.name, "", "", "", percent])
    return lines
