"""Several images of one subject on one grid, such as T1 and FLAIR, as one volume of channels.

They come as one file each, named as nnU-Net does (`CASE_0000`, `CASE_0001`, ...) or by the channels' own names, or as
one file of four dimensions, as in the Medical Segmentation Decathlon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.control import JobControl
from core.errors import UnsuitableScan
from core.imaging.geometry import corners_ras_mm
from core.imaging.reader import read
from core.imaging.titles import is_volume_name, stem_of
from core.imaging.volume import Finding, Volume

MOST = 16  # channels
_NUMBERED = re.compile(r"(.+)_(\d{4})")


def numbered(stem: str) -> tuple[str, int] | None:
    """The case and the channel of a name as nnU-Net gives them.

    >>> numbered("brain_007_0002"), numbered("brain_007")
    (('brain_007', 2), None)
    """
    found = _NUMBERED.fullmatch(stem)
    return (found[1], int(found[2])) if found else None


def channels_of(volume: Volume) -> int:
    """How many images a volume holds."""
    return int(np.prod(volume.shape[3:]))


def one_of(volume: Volume, number: int) -> Volume:
    """One of the images of a volume that holds several, counted from 0. Raises UnsuitableScan where there is none."""
    held = channels_of(volume)
    if not 0 <= number < held:
        raise UnsuitableScan(
            f"there is no volume {number + 1} in it; it holds {held}", where=volume.source.path,
            mend=f"Choose one from 1 to {held}.",
        )  # fmt: skip
    if volume.voxels.ndim == 3:
        return volume
    told = Finding("time_point", "info", f"Volume {number + 1} of the {held} in the scan.")
    others = tuple(finding for finding in volume.findings if finding.code != "time_series")
    return replace(volume, voxels=volume.voxels[..., number], findings=(told, *others))


def read_subject(paths: Sequence[Path], control: JobControl | None = None) -> Volume:
    """The images of a subject as one volume, channels last; a single file as it is.

    Raises UnreadableScan, and UnsuitableScan where the images do not lie on one grid.
    """
    control = control or JobControl()
    first, *others = [
        read(path, control.part(n / len(paths), (n + 1) / len(paths))) for n, path in enumerate(paths)
    ]  # fmt: skip
    if not others:
        return first
    for path, volume in zip(paths, (first, *others), strict=True):
        if channels_of(volume) != 1:
            raise UnsuitableScan(f"it holds {channels_of(volume)} images, not one channel", where=path)
        _require_same_grid(first, volume)
    together = replace(
        first,
        voxels=np.stack([volume.values() for volume in (first, *others)], axis=-1),
        slope=1.0,
        intercept=0.0,
        source=replace(first.source, further=tuple(paths[1:])),
    )
    seen = {finding.code for finding in first.findings}
    more = {f.code: f for volume in others for f in volume.findings if f.code not in seen}
    return together.with_findings(*more.values())


def files_of_subject(scan: Path, names: Sequence[str]) -> list[Path]:
    """The files of all channels, from one of them: those beside it, named by number or by the channels' names.

    names: of the channels, in order. Raises UnsuitableScan that says which are missing.
    """
    known = numbered(stem_of(scan))
    try:
        beside = {stem_of(file).lower(): file for file in sorted(scan.parent.iterdir()) if is_volume_name(file.name)}
    except OSError:
        beside = {}
    stem = stem_of(scan).lower()
    own = next((name.lower() for name in names if stem.endswith((f"_{name}".lower(), f"-{name}".lower()))), "")
    if known is not None:
        wanted = [f"{known[0]}_{number:04d}" for number in range(len(names))]
    elif own:
        wanted = [stem.removesuffix(own) + name for name in names]
    else:
        raise UnsuitableScan(
            f"the model takes {said(names)} of a subject, and this is one image", where=scan,
            mend=f"Name the files CASE_0000, CASE_0001, ... in this order: {', '.join(names)}; or give one 4D file.",
        )  # fmt: skip
    missing = [f"{name} ({want})" for name, want in zip(names, wanted, strict=True) if want.lower() not in beside]
    if missing:
        raise UnsuitableScan(
            f"the model takes {said(names)} of a subject; missing: {', '.join(missing)}", where=scan,
            mend="Put the missing images beside it.",
        )  # fmt: skip
    return [beside[want.lower()] for want in wanted]


def said(names: Sequence[str]) -> str:
    """Channels in words.

    >>> said(["T1", "FLAIR"])
    '2 images (T1, FLAIR)'
    """
    return f"{len(names)} images ({', '.join(names)})" if len(names) != 1 else "one image"


def _require_same_grid(first: Volume, other: Volume) -> None:
    where = other.source.path
    if other.grid_shape != first.grid_shape:
        raise UnsuitableScan(
            f"its shape {other.grid_shape} is not {first.grid_shape}, that of {first.source.path.name}", where=where,
            mend="Bring a subject's images to one grid first, for instance with `isocenter register`.",
        )  # fmt: skip
    corners = (corners_ras_mm(volume.affine_ras, volume.grid_shape) for volume in (first, other))
    away = float(np.abs(next(corners) - next(corners)).max())
    if away > 0.5 * min(first.spacing_mm):
        raise UnsuitableScan(
            f"it lies {away:.1f} mm from {first.source.path.name}; their affines disagree", where=where,
            mend="Bring a subject's images to one grid first, for instance with `isocenter register`.",
        )  # fmt: skip
