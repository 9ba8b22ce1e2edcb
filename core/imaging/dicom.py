"""Reading DICOM: find the series in a folder, choose one, and put its slices together.

Nothing about the patient is taken from the files: only geometry, scaling, and what tells series apart.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.config

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.bounds import check_size
from core.imaging.checks import voxel_findings
from core.imaging.frames import frames_of
from core.imaging.kind import is_dicom_file
from core.imaging.pixels import decode
from core.imaging.series import SeriesInfo, series_info
from core.imaging.stack import Frame, Stack, arrange, resample
from core.imaging.volume import Finding, Source, Volume

Array = np.ndarray[Any, Any]

_MOST_FILES = 50_000
_DICOMDIR = "1.2.840.10008.1.3.10"
# Not images of a body, though some hold pixels.
_NO_SCANS = {"SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "DOC", "REG", "FID", "AU", "ECG"}
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "Modality", "ImageType",
    "FrameOfReferenceUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "PixelRepresentation", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "SliceThickness", "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "InstanceNumber",
    "TemporalPositionIdentifier", "EchoTime", "TriggerTime", "AcquisitionNumber", "AcquisitionTime",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "SeriesDate", "StudyDate",
]  # fmt: skip

# Damaged values are found by our own checks; the library's warnings would print them, patient names included.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


@dataclass
class _Found:
    """The readable headers under a path, by series UID."""

    series: dict[str, list[tuple[Path, Any]]]
    damaged: int = 0
    others: int = 0


def series_in(path: Path, control: JobControl | None = None) -> list[SeriesInfo]:
    """The image series in a folder, the one that `read` would take first."""
    return _infos(_find(path, control or JobControl()))


def read_dicom(path: Path, control: JobControl, series: str | None = None) -> Volume:
    """Read one series: of a folder the one named or the largest, of a file the one it belongs to.

    Raises UnreadableScan where there is no image series or its slices make no grid.
    """
    findings: list[Finding] = []
    if path.is_dir():
        found = _find(path, control)
    else:
        own = _header(path)
        if own is None:
            raise UnreadableScan("the DICOM header is damaged", where=path, mend="Copy or export this file again.")
        if _is_directory_file(own):
            found = _find(path.parent, control)
        else:
            if not _is_image(own):
                raise UnreadableScan("this DICOM file holds no image", where=path, mend="Choose the series' images.")
            series = series or str(own.get("SeriesInstanceUID", ""))
            found = _find(path.parent, control, deep=False)
    if not found.series:
        raise _nothing(path, found)
    infos = _infos(found)
    chosen = infos[0] if series is None else next((info for info in infos if info.uid == series), None)
    if chosen is None:
        raise UnreadableScan("the series asked for is not in this folder", where=path, mend="Choose the folder again.")
    if series is None and len(infos) > 1:
        names = ", ".join(info.title for info in infos[1:6]) + (" and more" if len(infos) > 6 else "")
        message = f"The folder holds {len(infos)} series; {chosen.title} was read. The others: {names}."
        findings.append(Finding("several_series", "warning", message))
    if found.damaged:
        message = f"{found.damaged} damaged DICOM files were left out."
        findings.append(Finding("damaged_files", "warning", message))
    return _volume(path, chosen, found.series[chosen.uid], findings, control)


def _volume(
    path: Path, info: SeriesInfo, files: list[tuple[Path, Any]], findings: list[Finding], control: JobControl
) -> Volume:
    frames = [frame for file, header in files for frame in frames_of(file, header)]
    stack = arrange(frames, path)
    first = stack.places[0][0]
    times = len(stack.places[0])
    slopes = {(frame.slope, frame.intercept) for place in stack.places for frame in place}
    scaled = len(slopes) > 1
    dtype = np.dtype(np.float32) if scaled else np.result_type(*{f.dtype for place in stack.places for f in place})
    check_size(times * max(len(stack.grid), len(stack.places)) * first.rows * first.columns * dtype.itemsize, path)
    voxels = _filled(stack, dtype, scaled, control, path)
    if stack.grid is not stack.positions:
        voxels = np.stack([resample(volume, stack, control) for volume in voxels])
    findings += stack.findings
    if scaled:
        message = "Slices are scaled differently; the scaling was applied to each."
        findings.append(Finding("mixed_scaling", "info" if info.modality == "PT" else "warning", message))
    if str(files[0][1].get("PhotometricInterpretation", "")) == "MONOCHROME1":
        findings.append(Finding("inverted", "info", "The file asks for an inverted display: low values are bright."))
    slope, intercept = (1.0, 0.0) if scaled else slopes.pop()
    native = voxels.transpose(3, 2, 1, 0)  # (t, k, rows, columns) -> (i, j, k, t), i fastest in memory
    if times == 1:
        native = native[..., 0]
    findings += voxel_findings(native, control)
    source = Source(
        path, "DICOM", info.uid, info.modality, info.description, frame_of_reference=info.frame_of_reference
    )
    return Volume(native, stack.affine_ras, source, slope, intercept, tuple(findings))


def _filled(stack: Stack, dtype: np.dtype[Any], scaled: bool, control: JobControl, where: Path) -> Array:
    """Decode every file once into (t, k, rows, columns)."""
    first = stack.places[0][0]
    voxels = np.empty((len(stack.places[0]), len(stack.places), first.rows, first.columns), dtype)
    wanted: dict[Path, list[tuple[Frame, int, int]]] = defaultdict(list)
    for k, place in enumerate(stack.places):
        for t, frame in enumerate(place):
            wanted[frame.path].append((frame, t, k))
    for done, (file, targets) in enumerate(wanted.items()):
        control.progress(done / len(wanted), f"Reading slice {done + 1} of {len(wanted)}")
        pixels = decode(file)
        for frame, t, k in targets:
            plane = pixels[frame.index]
            if scaled:
                plane = plane.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)
            elif not np.can_cast(plane.dtype, dtype):
                raise UnreadableScan("the pixels are not of the declared type", where=file, mend="Export it again.")
            voxels[t, k] = plane
    for spare, original in stack.spares:
        control.check()
        if not np.array_equal(decode(spare.path)[spare.index], decode(original.path)[original.index]):
            raise UnreadableScan(
                f"two different images lie at the same place ({spare.path.name}, {original.path.name})",
                where=where,
                mend="Remove the one that does not belong to the series.",
            )
    return voxels


def _find(folder: Path, control: JobControl, *, deep: bool = True) -> _Found:
    """Read the headers of all DICOM files in a folder, and below it where `deep`."""
    found = _Found(defaultdict(list))
    for path in _files(folder, deep):
        control.progress(None, "Looking for DICOM series")
        if not is_dicom_file(path):
            found.others += 1
            continue
        header = _header(path)
        if header is None:
            found.damaged += 1
        elif _is_image(header):
            found.series[str(header.get("SeriesInstanceUID", ""))].append((path, header))
        else:
            found.others += 1
    return found


def _files(folder: Path, deep: bool) -> Iterator[Path]:
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep else []
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                raise UnreadableScan(
                    f"the folder holds more than {_MOST_FILES} files", where=folder, mend="Choose one study's folder."
                )
            if not name.startswith("."):
                yield Path(parent, name)


def _header(path: Path) -> Any | None:
    """The header without pixels, or None where it cannot be read."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        return header if len(header) else None
    except Exception:  # pydicom raises nearly anything on damaged files
        return None


def _is_directory_file(header: Any) -> bool:
    try:
        return str(header.file_meta.get("MediaStorageSOPClassUID", "")) == _DICOMDIR
    except Exception:  # an element that cannot be parsed
        return False


def _is_image(header: Any) -> bool:
    try:
        return "Rows" in header and "Columns" in header and str(header.get("Modality", "")) not in _NO_SCANS
    except Exception:  # an element that cannot be parsed
        return False


def _infos(found: _Found) -> list[SeriesInfo]:
    """The series, volumes before pictures, then by the number of images."""
    infos = [series_info(uid, files) for uid, files in found.series.items()]
    return sorted(infos, key=lambda info: (not info.placed, -info.images, info.uid))


def _nothing(path: Path, found: _Found) -> UnreadableScan:
    if found.damaged:
        return UnreadableScan("its DICOM files are damaged", where=path, mend="Copy or export them again.")
    what = "the folder holds no DICOM images" if found.others else "the folder is empty"
    return UnreadableScan(what, where=path, mend="Choose a DICOM folder, or drop a NIfTI file itself.")
