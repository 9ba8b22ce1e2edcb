"""Every axis order and flip, rotation and spacing: the patient's right stays right, and all comes back bit by bit."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from core.imaging.geometry import index_to_ras_mm, to_canonical
from core.imaging.reader import read
from core.imaging.volume import Source, Volume
from core.imaging.writer import write_segmentation, write_volume
from tests.core.imaging.conftest import make_slice

ORDERS = list(product(permutations(range(3)), product((False, True), repeat=3)))
ANGLES_DEG = [(0, 0, 0), (12, 0, 0), (-7, 9, 14), (0, 18, -11)]
SPACINGS = [(1, 1, 1), (0.45, 0.9, 3), (2, 1.1, 0.7)]
CASES = list(product(ORDERS, ANGLES_DEG, SPACINGS))
SHAPE = (6, 5, 4)
RIGHT = (5, 1, 2)  # the marker, in a grid whose first axis runs to the right
CANONICAL = np.random.default_rng(8).integers(0, 900, SHAPE).astype(np.int16)
CANONICAL[RIGHT] = 1000


def rotation(degrees) -> np.ndarray:
    turned = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        step = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned


def canonical_affine(angles, spacing) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) * spacing
    affine[:3, 3] = (-12.5, 7.25, 30)
    return affine


def in_order(order, affine) -> tuple[np.ndarray, np.ndarray]:
    """The canonical volume and its affine with its axes in another order and direction."""
    axes, flips = order
    voxels = CANONICAL.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for native, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        turn[axis, native] = -1 if flip else 1
        turn[axis, 3] = SHAPE[axis] - 1 if flip else 0
    return voxels, affine @ turn


def test_there_are_576_different_cases():
    seen = {in_order(order, canonical_affine(*rest))[1].round(6).tobytes() for order, *rest in CASES}
    assert len(CASES) == len(seen) == 576


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.nrrd", "scan.mha"])
def test_the_patients_right_stays_right_and_labels_come_back_bit_by_bit(tmp_path, monkeypatch, name):
    monkeypatch.setattr("core.files.os.fsync", lambda _handle: None)  # no power cut is looked at here
    path, back = tmp_path / name, tmp_path / f"labels_{name}"
    for number, (order, angles, spacing) in enumerate(CASES):
        upright = canonical_affine(angles, spacing)
        voxels, affine = in_order(order, upright)
        write_volume(path, Volume(voxels, affine, Source(path, "NIfTI-1", form_codes=(1, 1))))
        scan = read(path)
        assert scan.findings == (), number
        np.testing.assert_array_equal(scan.voxels, voxels)
        np.testing.assert_allclose(scan.affine_ras, affine, rtol=0, atol=1e-5)
        turn = to_canonical(scan.affine_ras)
        turned = turn.apply(scan.voxels)
        np.testing.assert_array_equal(turned, CANONICAL)
        marker = np.argwhere(turned == 1000)[0]
        place = index_to_ras_mm(turn.affine(scan.affine_ras, scan.grid_shape), marker)
        np.testing.assert_allclose(place, index_to_ras_mm(upright, np.array(RIGHT)), rtol=0, atol=1e-4)
        # A label map made on the canonical grid lies on the scan's own voxels when it is written.
        labels = turn.invert((turned > 500).astype(np.uint8))
        np.testing.assert_array_equal(labels, voxels > 500)
        if number % 12 == 0:  # in each of the 48 orders
            write_segmentation(back, labels, scan)
            again = read(back)
            np.testing.assert_array_equal(again.voxels, labels)
            np.testing.assert_allclose(again.affine_ras, affine, rtol=0, atol=1e-5)


@pytest.mark.parametrize("angles", [(0, 0, 0), (-7, 9, 14)])
def test_a_dicom_series_in_every_order_is_the_same_patient(tmp_path, angles):
    upright = canonical_affine(angles, (1, 1.2, 2.5))
    for number, order in enumerate(ORDERS):
        voxels, affine = in_order(order, upright)
        lps = np.diag([-1.0, -1, 1, 1]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        folder = tmp_path / str(number)
        folder.mkdir()
        for k in range(voxels.shape[2]):
            changes = {
                "ImageOrientationPatient": [*(lps[:3, 0] / spacing[0]), *(lps[:3, 1] / spacing[1])],
                "PixelSpacing": [spacing[1], spacing[0]],
                "RescaleIntercept": 0,
            }
            changes["ImageOrientationPatient"] = [round(v, 10) for v in changes["ImageOrientationPatient"]]
            changes["PixelSpacing"] = [round(v, 10) for v in changes["PixelSpacing"]]
            position = [round(v, 8) for v in lps[:3] @ (0, 0, k, 1)]
            make_slice(position, k, voxels[:, :, k].T, **changes).save_as(folder / str(k), enforce_file_format=True)
        scan = read(folder)
        assert scan.findings == (), order
        turn = to_canonical(scan.affine_ras)
        np.testing.assert_array_equal(turn.apply(scan.voxels), CANONICAL)
        np.testing.assert_allclose(turn.affine(scan.affine_ras, scan.grid_shape), upright, rtol=0, atol=1e-5)


def test_the_marker_is_on_the_patients_right():
    """In RAS millimetres a larger first number is further to the patient's right."""
    volume = Volume(CANONICAL, canonical_affine((0, 0, 0), (1, 1, 1)), Source(Path("scan.nii"), "NIfTI-1"))
    place = index_to_ras_mm(volume.affine_ras, np.array(RIGHT))
    middle = index_to_ras_mm(volume.affine_ras, (np.array(SHAPE) - 1) / 2)
    assert place[0] > middle[0]
    assert volume.orientation == "RAS"
