"""Reading DICOM: choose one series of a folder and put its slices together."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.bounds import check_size
from core.imaging.checks import voxel_findings
from core.imaging.decoder import Decoder
from core.imaging.dicomfile import read_header
from core.imaging.folder import Found, find, is_image, series_uid
from core.imaging.frames import frames_of
from core.imaging.picture import is_picture, picture_findings
from core.imaging.rtdose import MODALITY as DOSE
from core.imaging.series import SeriesInfo, series_info
from core.imaging.split import Part, split
from core.imaging.stack import Frame, Stack, arrange, resample
from core.imaging.units import units_of, uptake_findings
from core.imaging.volume import Finding, Source, Volume

Array = np.ndarray[Any, Any]
Listed = tuple[SeriesInfo, Part]

# What is told of a stack that lacks slices: were they taken out by splitting, it is no scan of its own.
_HOLES = {"missing_slices", "uneven_slices"}


def series_in(path: Path, control: JobControl | None = None, *, deep: bool = True) -> list[SeriesInfo]:
    """The image series in a folder, and in the folders below it where `deep`, the one that `read` would take first.

    A series of several grids (a localizer) is listed as its parts.
    """
    return [info for info, _ in _listed(find(path, control or JobControl(), deep=deep))]


def _listed(found: Found) -> list[Listed]:
    """The parts of all series: scans before doses before pictures, then by the number of images."""
    parts = [part for uid, files in found.series.items() for part in split(uid, files)]
    listed = [(series_info(part), part) for part in parts]
    return sorted(listed, key=lambda one: (not one[0].placed, one[0].modality == DOSE, -one[0].images, one[0].uid))


def read_dicom(path: Path, control: JobControl, series: str | None = None) -> Volume:
    """Read one series: of a folder the one named or the largest, of a file the one it belongs to.

    Of a series with several grids, one part is read: that named ("UID#2"), that of the file, or the largest.

    Raises UnreadableScan where there is no image series or its slices make no grid.
    """
    findings: list[Finding] = []
    if path.is_dir():
        found = find(path, control)
    else:
        own = read_header(path)
        if own is None:
            raise UnreadableScan("the DICOM header is damaged", where=path, mend="Copy or export this file again.")
        if own.is_directory:
            found = find(path.parent, control)
        else:
            if not is_image(own):
                raise UnreadableScan("this DICOM file holds no image", where=path, mend="Choose the series' images.")
            series = series or series_uid(own)
            if not series and is_picture(own.header):  # which other pictures belong to it, nothing says
                found = Found({"": [own]})
            else:
                found = find(path.parent, control, deep=False)
    if not found.series:
        raise _nothing(path, found)
    listed = _listed(found)
    chosen = _chosen(listed, series, path)
    if chosen is None:
        raise UnreadableScan("the series asked for is not in this folder", where=path, mend="Choose the folder again.")
    info, part = chosen
    findings += _others(listed, info, part, asked=series)
    if found.damaged:
        message = f"{found.damaged} damaged DICOM files were left out."
        findings.append(Finding("damaged_files", "warning", message))
    return _volume(path, info, part, findings, control)


def _chosen(listed: list[Listed], series: str | None, path: Path) -> Listed | None:
    """The part asked for; of a series asked for without a part that which holds the file, or the largest."""
    if series is None:
        return listed[0]
    named = [one for one in listed if one[1].uid == series] or [one for one in listed if one[1].series == series]
    return next((one for one in named if path in one[1].frames), named[0] if named else None)


def _others(listed: list[Listed], info: SeriesInfo, part: Part, asked: str | None) -> list[Finding]:
    """What was left out: other series where none was asked for, and the other parts of the same series."""
    findings = []
    series = {one.series for _, one in listed}
    if asked is None and len(series) > 1:
        names = _names([info for info, one in listed if one.series != part.series])
        message = f"The folder holds {len(series)} series; {info.title} was read. The others: {names}."
        findings.append(Finding("several_series", "warning", message))
    if part.parts > 1:
        names = _names([info for info, one in listed if one.series == part.series and one is not part])
        message = f"The series mixes {part.differs}, so it was split; {info.title} was read. The others: {names}."
        findings.append(Finding("several_parts", "info" if asked == part.uid else "warning", message))
    return findings


def _names(others: list[SeriesInfo]) -> str:
    return ", ".join(info.title for info in others[:5]) + (" and more" if len(others) > 5 else "")


def _volume(path: Path, info: SeriesInfo, part: Part, findings: list[Finding], control: JobControl) -> Volume:
    files = part.files
    frames = [frame for file in files for frame in frames_of(file) if frame.index in part.frames[file.path]]
    stack = arrange(frames, path)
    if part.parts > 1 and any(finding.code in _HOLES for finding in stack.findings):
        raise UnreadableScan(
            f"the series mixes {part.differs}, and slices are missing where it was split",
            where=path,
            mend="Export this series alone and whole from the archive.",
        )
    first = stack.places[0][0]
    slopes = {(frame.slope, frame.intercept) for place in stack.places for frame in place}
    scaled = len(slopes) > 1
    dtypes = {frame.pixels.dtype for place in stack.places for frame in place}
    dtype = np.dtype(np.float32) if scaled else np.result_type(*dtypes)
    rows, columns = stack.straightening.shape(first.rows, first.columns) if stack.straightening else (0, 0)
    pixels = max(rows * columns, first.rows * first.columns)
    times = len(stack.places[0])
    check_size(times * max(len(stack.grid), len(stack.places)) * pixels * dtype.itemsize, path)
    voxels = _filled(stack, dtype, scaled, control, path)
    if stack.grid is not stack.positions:
        voxels = np.stack([resample(volume, stack, control) for volume in voxels])
    if stack.straightening is not None:
        voxels = np.stack([stack.straightening.apply(volume, control) for volume in voxels])
    header = files[0].header
    findings += stack.findings + uptake_findings(header) + picture_findings(header)
    if scaled:
        message = "Slices are scaled differently; the scaling was applied to each."
        findings.append(Finding("mixed_scaling", "info" if info.modality == "PT" else "warning", message))
    if any(frame.pixels.unused_bits for frame in frames):
        message = f"Bits beyond the declared {first.pixels.stored[0]} were in use (an overlay, perhaps) and left out."
        findings.append(Finding("unused_bits", "warning", message))
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        findings.append(Finding("inverted", "info", "The file asks for an inverted display: low values are bright."))
    slope, intercept = (1.0, 0.0) if scaled else slopes.pop()
    native = voxels.transpose(3, 2, 1, 0)  # (t, k, rows, columns) -> (i, j, k, t), i fastest in memory
    if times == 1:
        native = native[..., 0]
    findings += voxel_findings(native, control)
    source = Source(
        path,
        "DICOM",
        info.uid,
        info.modality,
        info.description,
        units=units_of(header),
        frame_of_reference=info.frame_of_reference,
    )
    return Volume(native, stack.affine_ras, source, slope, intercept, tuple(findings))


def _filled(stack: Stack, dtype: np.dtype[Any], scaled: bool, control: JobControl, where: Path) -> Array:
    """Read every image once into (t, k, rows, columns)."""
    first = stack.places[0][0]
    voxels = np.empty((len(stack.places[0]), len(stack.places), first.rows, first.columns), dtype)
    wanted: dict[Path, list[tuple[Frame, int, int]]] = defaultdict(list)
    for k, place in enumerate(stack.places):
        for t, frame in enumerate(place):
            wanted[frame.pixels.path].append((frame, t, k))
    with Decoder() as decoder:
        for done, targets in enumerate(wanted.values()):
            control.progress(done / len(wanted), f"Reading slice {done + 1} of {len(wanted)}")
            targets.sort(key=lambda target: target[0].index)
            for index, tiles in groupby(targets, key=lambda target: target[0].index):
                picture = targets[0][0].pixels.frame(index, decoder)
                control.check()
                for frame, t, k in tiles:
                    plane = _tile(picture, frame)
                    if scaled:
                        plane = plane.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)
                    voxels[t, k] = plane
        _compare(stack, decoder, control, where)
    return voxels


def _tile(picture: Array, frame: Frame) -> Array:
    top, left = frame.corner
    return picture[top : top + frame.rows, left : left + frame.columns]


def _compare(stack: Stack, decoder: Decoder, control: JobControl, where: Path) -> None:
    """Images at the same place must be the same image."""
    for spare, original in stack.spares:
        control.check()
        one, other = (_tile(frame.pixels.frame(frame.index, decoder), frame) for frame in (spare, original))
        if not np.array_equal(one, other):
            raise UnreadableScan(
                f"two different images lie at the same place ({spare.pixels.path.name}, {original.pixels.path.name})",
                where=where,
                mend="Remove the one that does not belong to the series.",
            )


def _nothing(path: Path, found: Found) -> UnreadableScan:
    if found.damaged:
        return UnreadableScan("its DICOM files are damaged", where=path, mend="Copy or export them again.")
    what = "the folder holds no DICOM images" if found.others else "the folder is empty"
    return UnreadableScan(what, where=path, mend="Choose a DICOM folder, or drop a NIfTI file itself.")
