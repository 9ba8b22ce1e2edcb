"""Kinds of DICOM images with a geometry of their own: doses, nuclear medicine, pictures, videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41

from core.errors import UnreadableScan
from core.imaging.info import describe
from core.imaging.reader import read
from tests.core.imaging.conftest import make_slice

CR, DX, US = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1", "1.1", "6.1"))
GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


def stored(folder: Path, frames: np.ndarray, *, leave_out: tuple[str, ...] = (), name: str = "a", **changes) -> Path:
    """A file of frames (k, rows, columns)."""
    dataset = make_slice((-3, -4, 10), 1, frames[0], NumberOfFrames=len(frames), **changes)
    dataset.PixelData = frames.astype(np.int16).tobytes()
    for keyword in leave_out:
        delattr(dataset, keyword)
    dataset.save_as(folder / name, enforce_file_format=True)
    return folder / name


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


FRAMES = np.arange(3)[:, None, None] * 100 + np.arange(30).reshape(6, 5)
DOSE = {"Modality": "RTDOSE", "DoseUnits": "GY", "DoseGridScaling": 0.001, "SliceThickness": None}


@pytest.mark.parametrize(
    ("offsets", "first", "step"), [([0, 3, 6], 10, 3), ([0, -3, -6], 4, -3), ([10, 13, 16], 10, 3)]
)
def test_a_dose_lies_where_its_offsets_say_and_is_told_in_gray(tmp_path, offsets, first, step):
    volume = read(stored(tmp_path, FRAMES, GridFrameOffsetVector=offsets, **DOSE))
    assert (volume.shape, volume.source.units, volume.spacing_mm[2]) == ((5, 6, 3), "Gy", 3.0)
    assert volume.affine_ras[2, 3] == first
    lowest = FRAMES[0 if step > 0 else 2]
    np.testing.assert_allclose(volume.values()[:, :, 0], lowest.T * 0.001, rtol=1e-6)
    np.testing.assert_allclose(volume.affine_ras[:2, 3], [3, 4])


@pytest.mark.parametrize(
    ("changes", "leave_out", "says"),
    [
        ({"GridFrameOffsetVector": [0, 3]}, (), "where each of its planes"),
        ({}, (), "where each of its planes"),
        ({"GridFrameOffsetVector": [0, 3, 6]}, ("DoseGridScaling",), "what its numbers mean"),
        ({"GridFrameOffsetVector": [0, 3, 6]}, ("ImagePositionPatient",), "where it lies"),
    ],
)
def test_a_dose_that_is_not_placed_or_scaled_is_refused(tmp_path, changes, leave_out, says):
    path = stored(tmp_path, FRAMES, leave_out=leave_out, **DOSE, **changes)
    with pytest.raises(UnreadableScan, match=says):
        read(path)


def detector() -> Dataset:
    item = Dataset()
    item.ImagePositionPatient, item.ImageOrientationPatient = [-3, -4, 10], [1, 0, 0, 0, 1, 0]
    return item


NUCLEAR = {"Modality": "NM", "SpacingBetweenSlices": 4, "SliceVector": [1, 2, 3]}


def test_slices_of_nuclear_medicine_lie_where_the_detector_says(tmp_path):
    kind = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    path = stored(
        tmp_path, FRAMES, leave_out=GEOMETRY[:2], ImageType=kind, DetectorInformationSequence=[detector()], **NUCLEAR
    )
    volume = read(path)
    assert volume.shape == (5, 6, 3) and codes(volume) == set()
    np.testing.assert_allclose(volume.affine_ras[:3, 3], [3, 4, 10])
    np.testing.assert_array_equal(volume.voxels[:, :, 2], FRAMES[2].T)
    assert volume.spacing_mm == pytest.approx((0.8, 0.7, 4.0))


def test_nuclear_slices_without_a_spacing_are_refused(tmp_path):
    kind = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    leave_out = (*GEOMETRY[:2], "SpacingBetweenSlices", "SliceThickness")
    path = stored(
        tmp_path, FRAMES, leave_out=leave_out, ImageType=kind, DetectorInformationSequence=[detector()], **NUCLEAR
    )
    with pytest.raises(UnreadableScan, match="where its slices lie"):
        read(path)


@pytest.mark.parametrize(
    ("modality", "kind", "changes", "code", "spacing"),
    [
        ("CR", CR, {"ImagerPixelSpacing": [0.1, 0.2]}, "detector_scale", 0.2),
        ("DX", DX, {}, "no_spacing", 1.0),
        ("US", US, {"PixelSpacing": [0.3, 0.4]}, "picture_scale", 0.4),
    ],
)
def test_a_picture_is_read_as_one_slice_whose_sides_are_not_known(tmp_path, modality, kind, changes, code, spacing):
    leave_out = GEOMETRY[:2] if "PixelSpacing" in changes else GEOMETRY
    path = stored(
        tmp_path, FRAMES[:1], leave_out=leave_out, Modality=modality, SOPClassUID=kind,
        **{"PixelSpacing": [9, 9], **changes},
    )  # fmt: skip
    volume = read(path)
    assert volume.shape == (5, 6, 1) and volume.spacing_mm[0] == pytest.approx(spacing)
    assert {"no_place", code} <= codes(volume)
    assert (volume.sides_known, volume.is_placed, volume.orientation) == (False, False, "unknown")
    assert volume.scale_known == (code != "no_spacing")
    assert not {"placed", "spacing"} & {finding["code"] for finding in describe(volume)["findings"]}


def test_a_slice_of_a_body_without_its_place_is_no_picture(tmp_path):
    with pytest.raises(UnreadableScan, match="where its image lies"):
        read(stored(tmp_path, FRAMES[:1], leave_out=GEOMETRY))


def test_pictures_that_name_no_series_are_not_put_together(tmp_path):
    gone = (*GEOMETRY, "SeriesInstanceUID")
    for name in "ab":
        path = stored(tmp_path, FRAMES[:1], leave_out=gone, name=name, Modality="CR", SOPClassUID=CR)
    assert read(path).shape == (5, 6, 1)


def test_a_video_is_refused_as_what_it_is(tmp_path):
    dataset = make_slice((0, 0, 0), 1, FRAMES[0], Modality="ES", SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1")
    dataset.file_meta.TransferSyntaxUID = MPEG4HP41
    dataset.PixelData = encapsulate([b"\0\0\1\xba" * 8])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "film", enforce_file_format=True)
    with pytest.raises(UnreadableScan, match="this is a video"):
        read(tmp_path / "film")


def test_a_number_of_frames_beyond_all_bounds_is_refused_at_once(tmp_path):
    path = stored(tmp_path, FRAMES[:1], leave_out=GEOMETRY, Modality="CR", SOPClassUID=CR)
    data = path.read_bytes().replace(b"\x28\x00\x08\x00IS\x02\x001 ", b"\x28\x00\x08\x00IS\x0a\x002000000000")
    path.write_bytes(data)
    with pytest.raises(UnreadableScan, match="2000000000"):
        read(path)
