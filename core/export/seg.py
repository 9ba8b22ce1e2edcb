"""A segmentation of a DICOM series as a DICOM Segmentation object (PS3.3 A.51), for archives and other viewers.

The geometry is the label map's own, frame by frame, so it also holds where the reader straightened or filled the
series; where a frame lies on a source image, it names that image and takes over its position to the letter. Who the
patient is comes from the source's headers and from nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core import __version__
from core.control import JobControl
from core.errors import Cancelled, IsocenterError
from core.export.codes import coded
from core.export.labelled import Labelled, check_not_empty, check_same_grid
from core.export.sources import image_files
from core.files import whole_file
from core.imaging.split import series_of
from core.imaging.volume import Volume

_NAME = "Isocenter"
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_TEXT_LENGTH = 64  # of a DICOM LO
# Must be there, if empty: the library refuses a source that has lost them, as exports of teaching files often have.
_TYPE_2 = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip


def write_seg(path: Path, labelled: Labelled, scan: Volume, control: JobControl | None = None) -> None:
    """Write `labelled` as DICOM SEG; `scan` is the DICOM series it lies on.

    Raises IsocenterError where the scan is no DICOM series, says no frame of reference, or does not fit.
    """
    control = control or JobControl()
    if not scan.source.format.startswith("DICOM"):
        raise IsocenterError(
            "a DICOM segmentation needs the DICOM series it belongs to", where=scan.source.path,
            mend="Give the DICOM series, or write NIfTI, NRRD, MetaImage or a surface.",
        )  # fmt: skip
    check_same_grid(labelled, scan)
    values = check_not_empty(labelled, path)
    control.progress(0.0, "Reading the series' headers")
    sources = _sources(scan, control)
    control.progress(0.3, "Making the DICOM segmentation")
    try:
        with warnings.catch_warnings():
            # The library names the patient where the name has one part only.
            warnings.filterwarnings("ignore", ".*unlikely to represent the intended person name.*")
            made = _segmentation(labelled, values, scan, sources, control)
    except Exception as error:  # the library raises nearly anything over damaged headers, and names their values
        if isinstance(error, Cancelled | MemoryError):
            raise
        raise IsocenterError(
            f"the headers of the series allow no DICOM segmentation ({type(error).__name__})", where=scan.source.path,
            mend="Write NIfTI, NRRD, MetaImage or a surface instead.",
        ) from None  # fmt: skip
    control.progress(0.9, "Writing the DICOM segmentation")
    with whole_file(path) as file:
        made.save_as(file, enforce_file_format=True)
        control.check()


def _sources(scan: Volume, control: JobControl) -> list[Any]:
    """The headers of the images behind the scan: one at each place, alike in size and direction."""
    headers = [header for _, header in image_files(scan.source.path, control, scan.source.series)]
    if "FrameOfReferenceUID" not in headers[0] or not headers[0].FrameOfReferenceUID:
        raise IsocenterError(
            "the series names no frame of reference, which a DICOM segmentation must share with it",
            where=scan.source.path, mend="Write NIfTI, NRRD, MetaImage or a surface instead.",
        )  # fmt: skip
    for header in headers:
        for name in _TYPE_2:
            if name not in header:
                setattr(header, name, "")
        _say_deidentified(header)
    if _is_enhanced(headers[0]):
        for header in headers:
            _share_groups(header)
        return headers
    alike: dict[tuple[Any, ...], Any] = {}
    if series_of(scan.source.series) != scan.source.series:
        headers = [header for header in headers if _lies_as(header, scan)] or headers
    first = headers[0]
    for header in headers:
        if (header.Rows, header.Columns) == (first.Rows, first.Columns):
            header.ImageOrientationPatient = first.ImageOrientationPatient  # within rounding, as the reader checked
            alike.setdefault(tuple(map(float, header.ImagePositionPatient)), header)
    return list(alike.values())


def _lies_as(header: Any, scan: Volume) -> bool:
    """Whether an image belongs to the part of a series that the scan was read from: its direction and pixels' size."""
    directions, measures = header.get("ImageOrientationPatient"), header.get("PixelSpacing")
    if not directions or not measures or (header.Columns, header.Rows) != scan.shape[:2]:
        return False
    axes = (_RAS_TO_LPS @ scan.affine_ras)[:3, :2].T
    own = np.reshape(directions, (2, 3)).astype(float) * np.array([[float(measures[1])], [float(measures[0])]])
    return bool(np.abs(own - axes).max() <= 0.01 * min(scan.spacing_mm[:2]))


def _say_deidentified(header: Any) -> None:
    """Of a source without the patient's identity, how it was removed must be said; some leave that empty."""
    known = header.get("DeidentificationMethod") or header.get("DeidentificationMethodCodeSequence")
    if header.get("PatientIdentityRemoved") == "YES" and not known:
        header.DeidentificationMethod = "Not said in the source images"


def _is_enhanced(header: Any) -> bool:
    return "SharedFunctionalGroupsSequence" in header


def _share_groups(header: Any) -> None:
    """The library looks for what all frames have in common among the shared groups; scanners repeat it per frame."""
    shared, first = header.SharedFunctionalGroupsSequence[0], header.PerFrameFunctionalGroupsSequence[0]
    for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if name not in shared and name in first:
            setattr(shared, name, first[name].value)


def _segmentation(
    labelled: Labelled, values: Sequence[int], scan: Volume, sources: list[Any], control: JobControl
) -> Any:
    from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
    from highdicom.seg import Segmentation
    from pydicom.uid import generate_uid

    numbers = np.zeros(max(values) + 1, np.uint16)
    numbers[values] = np.arange(1, len(values) + 1)  # DICOM counts segments from 1 without gaps
    frames = np.ascontiguousarray(numbers[labelled.labels].transpose(2, 1, 0))  # (k, rows, columns)
    affine_lps = _RAS_TO_LPS @ scan.affine_ras
    column_mm, row_mm, step_mm = scan.spacing_mm
    row, column = affine_lps[:3, 0] / column_mm, affine_lps[:3, 1] / row_mm
    normal_mm = abs(float(np.dot(np.cross(row, column), affine_lps[:3, 2])))
    thickness = _number(sources[0].get("SliceThickness")) or step_mm
    description = f"{labelled.made_by or _NAME} segmentation"
    control.check()
    made = Segmentation(
        source_images=sources[:1] if _is_enhanced(sources[0]) else sources,
        pixel_array=frames,
        segmentation_type="BINARY",
        segment_descriptions=[_described(number, labelled, value) for number, value in enumerate(values, start=1)],
        series_instance_uid=generate_uid(),
        series_number=(_number(sources[0].get("SeriesNumber")) or 0) + 1000,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=_NAME,
        manufacturer_model_name=_NAME,
        software_versions=__version__,
        device_serial_number=__version__,
        content_label="SEGMENTATION",
        content_description=_fitted(description, "; research use only"),
        series_description=_fitted(description, " (research use only)"),
        plane_orientation=PlaneOrientationSequence("PATIENT", [*row, *column]),
        plane_positions=[
            PlanePositionSequence("PATIENT", list(affine_lps[:3, 3] + k * affine_lps[:3, 2]))
            for k in range(len(frames))
        ],
        pixel_measures=PixelMeasuresSequence([row_mm, column_mm], thickness, normal_mm),
        further_source_images=sources[1:] if _is_enhanced(sources[0]) else None,
        **_characters(labelled, values, sources[0]),
    )
    control.check()
    return made


def _described(number: int, labelled: Labelled, value: int) -> Any:
    """A segment by the name of its structure, coded where that is known, with the model that drew it."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    name = labelled.name_of(value)[:_TEXT_LENGTH]
    algorithm = AlgorithmIdentificationSequence(
        name=(labelled.model or "unknown")[:_TEXT_LENGTH],
        family=codes.DCM.ArtificialIntelligence,
        version=(labelled.version or "unknown")[:_TEXT_LENGTH],
    )
    meant = coded(labelled.name_of(value), labelled.model)
    category, kind, *modifiers = (
        CodedConcept(code.value, "SCT", code.meaning) for code in (meant.category, meant.type, *meant.modifiers)
    )
    described = SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        # Nothing tells a file that no model here made from one that was drawn by hand.
        algorithm_type="AUTOMATIC" if labelled.model else "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=generate_uid(),
        tracking_id=name,
    )
    if modifiers:
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
    return described


def _characters(labelled: Labelled, values: Sequence[int], source: Any) -> dict[str, Any]:
    """Unicode where a structure's name needs it, or where the source names no encoding that exists."""
    from pydicom.charset import python_encoding

    text = labelled.made_by + "".join(labelled.name_of(value) for value in values)
    named = source.get("SpecificCharacterSet") or ""
    known = all(name in python_encoding for name in ([named] if isinstance(named, str) else named))
    return {} if text.isascii() and known else {"specific_character_set": "ISO_IR 192"}


def _fitted(text: str, ending: str) -> str:
    return text[: _TEXT_LENGTH - len(ending)] + ending


def _number(value: Any) -> Any:
    """A positive number from a header, or None."""
    try:
        return value if float(value) > 0 else None
    except (TypeError, ValueError):
        return None
