"""What tells one DICOM series of a folder from another, and a small picture of its middle.

Nothing here is stored: study date and description are for the screen on which a person chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.control import JobControl
from core.imaging.volume import Volume

if TYPE_CHECKING:
    from core.imaging.split import Part  # pydicom is slow to import

Array = np.ndarray[Any, Any]
THUMBNAIL_PX = 128


@dataclass(frozen=True)
class SeriesInfo:
    """What tells one series of a folder, or one part of it, from another.

    description, date: for the screen only.
    spacing_mm: (between columns, between rows, between slices), 0 where the file does not say.
    date: ISO, such as "2024-03-01". middle, frame: the file and the frame in it that a small picture is made of.
    placed: whether the images say where they lie in the patient, as screenshots and reports do not.
    part, parts: its number among the grids of one series, and how many those are.
    """

    uid: str
    modality: str
    number: str
    description: str
    images: int
    rows: int
    columns: int
    spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    date: str = ""
    middle: Path | None = None
    frame: int = 0
    placed: bool = True
    frame_of_reference: str = ""
    part: int = 1
    parts: int = 1

    @property
    def title(self) -> str:
        """How a finding names it, without free text from the file."""
        number = f" {self.number}" if self.number else ""
        number += f" part {self.part}" if self.parts > 1 else ""
        noun = "image" if self.images == 1 else "images"
        return f"{self.modality or 'series'}{number} ({self.images} {noun})"


def series_info(part: Part) -> SeriesInfo:
    """The facts of a series, or of a part of one, from the headers of its files; what is damaged is left out."""
    files, images = part.files, part.images
    header = files[0].header
    texts = [_text(header, name) for name in ("Modality", "SeriesNumber", "SeriesDescription")]
    modality = texts[0] if texts[0].isalnum() and len(texts[0]) <= 16 else ""
    number = texts[1] if texts[1].lstrip("-").isdigit() else ""
    middle = sorted(files, key=lambda file: _whole(file.header, "InstanceNumber", 0))[len(files) // 2].path
    frames = sorted(part.frames[middle])
    return SeriesInfo(
        part.uid, modality, number, texts[2], images, _whole(header, "Rows", 0), _whole(header, "Columns", 0),
        _spacing_mm(header), _date(header), middle, frames[len(frames) // 2] if frames else 0, is_placed(header),
        _text(header, "FrameOfReferenceUID"), part.number, part.parts,
    )  # fmt: skip


def is_placed(header: Any) -> bool:
    """Whether an image says where it lies, as screenshots and reports do not."""
    placing = ("ImageOrientationPatient", "PerFrameFunctionalGroupsSequence", "DetectorInformationSequence")
    return any(name in header for name in placing)


def series_thumbnail(info: SeriesInfo, control: JobControl) -> Array | None:
    """The middle image of a series, uint8 (rows, columns) of square pixels; None where there is none.

    Raises UnreadableScan where its pixels cannot be decoded.
    """
    from core.imaging.decoder import Decoder
    from core.imaging.dicomfile import read_header
    from core.imaging.pixels import pixels_of

    file = read_header(info.middle) if info.middle is not None else None
    if file is None:
        return None
    control.check()
    pixels = pixels_of(file)
    with Decoder() as decoder:
        picture = pixels.frame(min(info.frame, pixels.frames - 1), decoder)
    control.check()
    wide, high, _ = info.spacing_mm
    return shrunk(picture, high / wide if wide and high else 1.0)


def volume_thumbnail(volume: Volume) -> Array:
    """The middle axial slice of a volume, anterior on top and the patient's right on the left."""
    from core.imaging.geometry import to_canonical

    turn = to_canonical(volume.affine_ras)
    canonical = turn.apply(volume.voxels)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    wide, high, _ = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    axial = canonical[:, :, canonical.shape[2] // 2]
    return shrunk((axial[..., 0] if axial.ndim == 3 else axial).T[::-1, ::-1], float(high / wide))


def shrunk(picture: Array, pixel_aspect: float = 1.0) -> Array:
    """A picture (rows, columns) at most THUMBNAIL_PX large, as grey uint8 from its 1st to its 99.5th percentile.

    pixel_aspect: height of a pixel over its width.
    """
    rows, columns = picture.shape
    high, wide = rows * pixel_aspect, float(columns)
    scale = THUMBNAIL_PX / max(high, wide, 1.0)
    at_row = np.minimum((np.arange(max(round(high * scale), 1)) + 0.5) / (scale * pixel_aspect), rows - 1).astype(int)
    at_column = np.minimum((np.arange(max(round(wide * scale), 1)) + 0.5) / scale, columns - 1).astype(int)
    small = picture[np.ix_(at_row, at_column)].astype(np.float32)
    finite = small[np.isfinite(small)]
    low, top = np.percentile(finite, (1, 99.5)) if finite.size else (0.0, 1.0)
    grey = np.clip((np.nan_to_num(small) - low) / max(float(top - low), 1e-6), 0, 1)
    return np.ascontiguousarray(np.rint(grey * 255).astype(np.uint8))


def _spacing_mm(header: Any) -> tuple[float, float, float]:
    try:
        measures = header
        for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            groups = header.get(name)
            found_in = groups[0].get("PixelMeasuresSequence") if groups else None
            if found_in:
                measures = found_in[0]
                break
        rows, columns = (float(value) for value in measures.get("PixelSpacing") or (0, 0))
        between = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0)
        found = (columns, rows, abs(between))
        return found if np.isfinite(found).all() and min(found) >= 0 else (0.0, 0.0, 0.0)
    except Exception:  # an element that cannot be parsed
        return (0.0, 0.0, 0.0)


def _date(header: Any) -> str:
    for name in ("SeriesDate", "StudyDate"):
        text = _text(header, name)
        if len(text) == 8 and text.isdigit():
            return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return ""


def _whole(header: Any, name: str, default: int) -> int:
    try:
        return int(header.get(name) or default)
    except Exception:  # an element that cannot be parsed
        return default


def _text(header: Any, name: str) -> str:
    try:
        return str(header.get(name) or "")[:64]
    except Exception:  # an element that cannot be parsed
        return ""
