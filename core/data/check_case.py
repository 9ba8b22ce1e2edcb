"""What the check of a data set reads of one case: what is wrong with it, and its facts."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from core.data.case import Case, CaseFacts
from core.errors import IsocenterError, UnsuitableScan
from core.imaging import channels
from core.imaging.geometry import corners_ras_mm, to_canonical
from core.imaging.reader import read
from core.imaging.volume import Finding, Volume

MAX_LABELS = 512
FOREGROUND_SAMPLE = 500  # values of labelled voxels that are kept of each case


def check_case(case: Case, named: int) -> tuple[list[Finding], CaseFacts | None]:
    """The findings of a case with labels, and its facts where it can be used. named: channels that are described."""

    def bad(code: str, message: str) -> tuple[list[Finding], None]:
        return [Finding(code, "error", f"{case.id}: {message}")], None

    try:
        image, label = channels.read_subject(case.images), read(case.label)
    except UnsuitableScan as error:
        return bad("channels", str(error))
    except IsocenterError as error:
        return bad("unreadable", str(error))
    count = channels.channels_of(image)
    # Without a description a fourth axis may as well be time.
    if len(label.shape) != 3 or (not case.further and len(image.shape) != 3 and count != max(named, 1)):
        names = f", and dataset.json names {named} channels" if len(label.shape) == 3 and named else ""
        return bad("not-3d", f"image and label must be 3D, they are {image.shape} and {label.shape}{names}.")
    if count > channels.MOST:
        return bad("channels", f"{count} channels are more than the {channels.MOST} that a network takes.")
    if image.grid_shape != label.shape:
        return bad("shape", f"the label's shape {label.shape} is not the image's {image.grid_shape}.")
    away = np.abs(
        corners_ras_mm(image.affine_ras, image.grid_shape) - corners_ras_mm(label.affine_ras, label.grid_shape)
    ).max()
    if away > 0.5 * min(image.spacing_mm):
        return bad("geometry", f"image and label lie {away:.1f} mm apart; their affines disagree.")
    values = label.values()
    rounded = np.rint(values)
    if not np.isfinite(values).all() or np.abs(values - rounded).max() > 1e-3:
        return bad("label-values", "the label file holds values that are no whole numbers.")
    found, counts = np.unique(rounded.astype(np.int64), return_counts=True)
    if found.min() < 0 or found.max() > 65_535 or len(found) > MAX_LABELS:
        return bad("label-values", f"labels run from {found.min()} to {found.max()}, as in no label file")
    counted = {int(v): int(n) for v, n in zip(found, counts, strict=True) if v > 0}
    findings, facts = look_at(case.id, image, counted, rounded > 0)
    if len(found) == 1 and found[0] == 0:
        findings.append(Finding("empty-label", "warning", f"{case.id}: nothing is labelled."))
    return findings, facts


def look_at(
    id: str, image: Volume, voxels: dict[int, int] | None = None, labelled: Any = None
) -> tuple[list[Finding], CaseFacts]:
    """What is to be said of one image, and its facts. voxels: of each label; labelled: where, as a mask."""
    intensities, count = image.values(), channels.channels_of(image)
    each = [intensities, *(image.values(channel) for channel in range(1, count))]
    finite = np.isfinite(intensities)
    known = intensities if finite.all() else intensities[finite]
    findings = []
    if not all(np.isfinite(values).all() for values in each):
        findings.append(
            Finding("non-finite", "warning", f"{id}: the image has non-finite voxels; they count as its extremes.")
        )
    extent = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if extent[0] == extent[1]:
        findings.append(Finding("blank", "warning", f"{id}: the image shows nothing: all its voxels are alike."))
    if labelled is None:
        labelled = intensities > (known.mean(dtype=np.float64) if known.size else 0)
    turn = to_canonical(image.affine_ras)
    x, y, z = (image.grid_shape[axis] for axis in turn.order)
    dx, dy, dz = (image.spacing_mm[axis] for axis in turn.order)
    sample = _sample(intensities[labelled & finite])
    return findings, CaseFacts((x, y, z), (dx, dy, dz), voxels or {}, content_of(*each), extent, sample, count)


def content_of(*channels: np.ndarray[Any, Any]) -> str:
    """A hash of an image's scaled values: equal images are known by it, whatever their files are called."""
    content = hashlib.sha256()
    for values in channels:
        content.update(np.ascontiguousarray(values).data)
    return content.hexdigest()


def _sample(values: np.ndarray[Any, Any]) -> tuple[float, ...]:
    """Evenly spread ones of some values; the same ones every time."""
    step = max(-(-values.size // FOREGROUND_SAMPLE), 1)
    return tuple(round(float(value), 3) for value in values[::step])
