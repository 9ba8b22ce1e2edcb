"""Made DICOM series for the tests of reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT = "SECRET^PATIENT"

SeriesMaker = Callable[..., Path]


def make_slice(position: Sequence[float], number: int, pixels: np.ndarray, **changes: Any) -> FileDataset:
    """One CT slice of int16 pixels (rows, columns); `changes` are header elements by keyword."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = dataset.FrameOfReferenceUID = "1.2.3"
    dataset.PatientName = dataset.PatientID = PATIENT
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [float(p) for p in position]
    dataset.PixelSpacing = [0.7, 0.8]
    dataset.SliceThickness = 2
    dataset.InstanceNumber = number
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = pixels.astype(np.int16).tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    return dataset


@pytest.fixture
def make_series(tmp_path: Path) -> SeriesMaker:
    """A function that writes a series and returns its folder.

    heights: place of each slice along z. A slice at z holds `10 * z` everywhere but for its own position marks, so
    that order and interpolation can be read off. vary: index -> header elements of that slice only.
    """

    def make(
        heights: Sequence[float],
        *,
        folder: str = "series",
        names: Sequence[str] | None = None,
        tilt_deg: float = 0.0,
        vary: dict[int, dict[str, Any]] | None = None,
        **changes: Any,
    ) -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for index, z in enumerate(heights):
            pixels = np.full((6, 5), round(10 * z), np.int16)
            pixels[0, 1] += 1  # row 0, column 1
            position = (-3.0, z * np.tan(np.deg2rad(tilt_deg)), z)
            own = {**changes, **(vary or {}).get(index, {})}
            dataset = make_slice(position, index + 1, pixels, **own)
            name = names[index] if names else f"{index:03d}.dcm"
            dataset.save_as(place / name, enforce_file_format=True)
        return place

    return make
