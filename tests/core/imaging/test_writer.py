from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.control import JobControl
from core.errors import Cancelled, IsocenterError
from core.imaging.reader import read
from core.imaging.volume import Source, Volume
from core.imaging.writer import write_segmentation, write_volume


def volume_of(voxels, affine, codes=(1, 1)) -> Volume:
    return Volume(voxels, np.asarray(affine, float), Source(Path("scan.nii"), "NIfTI-1", form_codes=codes))


def test_segmentation_comes_back_on_the_scans_own_grid(oblique_scan, tmp_path):
    scan = read(oblique_scan)
    labels = (np.asarray(scan.voxels) % 3).astype(np.int64)
    sha256 = write_segmentation(tmp_path / "out.nii.gz", labels, scan, description="hippocampus 1.0")
    image = nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), labels)
    assert image.get_data_dtype() == np.uint8
    for form in (image.get_sform(), image.get_qform()):
        np.testing.assert_allclose(form, nib.load(oblique_scan).affine, atol=1e-5)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.header["descrip"].item() == b"hippocampus 1.0; research use only"
    assert sha256 == hashlib.sha256((tmp_path / "out.nii.gz").read_bytes()).hexdigest()
    assert read(tmp_path / "out.nii.gz").findings == ()


def test_labels_above_255_are_written_as_uint16(tmp_path):
    scan = volume_of(np.zeros((2, 2, 2), np.int16), np.eye(4))
    write_segmentation(tmp_path / "out.nii", np.full((2, 2, 2), 300), scan)
    assert read(tmp_path / "out.nii").voxels.dtype == np.uint16


def test_labels_that_do_not_fit_are_a_programming_error(tmp_path):
    scan = volume_of(np.zeros((2, 2, 2), np.int16), np.eye(4))
    for labels in (np.zeros((2, 2, 3), int), np.full((2, 2, 2), -1), np.full((2, 2, 2), 70_000)):
        with pytest.raises(ValueError, match="labels"):
            write_segmentation(tmp_path / "out.nii", labels, scan)


@pytest.mark.parametrize(("given", "written"), [((1, 1), (1, 1)), ((0, 4), (4, 4)), ((2, 0), (2, 2)), ((0, 0), (1, 1))])
def test_the_sources_codes_are_kept(tmp_path, given, written):
    scan = volume_of(np.zeros((2, 2, 2), np.int16), np.eye(4), given)
    write_segmentation(tmp_path / "out.nii", np.zeros((2, 2, 2), np.uint8), scan)
    header = nib.load(tmp_path / "out.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == written


def test_a_sheared_grid_has_no_qform_as_none_could_hold_it(tmp_path):
    sheared = np.array([[1, 0.3, 0, 0], [0, 1, 0.2, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    write_segmentation(
        tmp_path / "out.nii", np.ones((3, 3, 3), np.uint8), volume_of(np.zeros((3, 3, 3), np.int16), sheared)
    )
    image = nib.load(tmp_path / "out.nii")
    assert int(image.header["qform_code"]) == 0
    np.testing.assert_allclose(image.affine, sheared, atol=1e-6)


def test_left_handed_grids_keep_both_forms_equal(tmp_path):
    affine = np.diag([-0.9, 1.1, 2, 1])
    write_segmentation(
        tmp_path / "out.nii", np.ones((3, 4, 5), np.uint8), volume_of(np.zeros((3, 4, 5), np.int16), affine)
    )
    image = nib.load(tmp_path / "out.nii")
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
def test_a_converted_scan_keeps_type_scaling_and_time(tmp_path, dtype, name):
    voxels = np.arange(48).reshape(2, 3, 4, 2).astype(dtype)
    scan = replace(volume_of(voxels, np.diag([1.0, 2, 3, 1])), slope=0.5, intercept=-10.0)
    write_volume(tmp_path / name, scan)
    again = read(tmp_path / name)
    np.testing.assert_array_equal(again.voxels, voxels)
    assert again.voxels.dtype == dtype
    assert (again.slope, again.intercept, again.spacing_mm) == (0.5, -10.0, (1, 2, 3))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failed_write_says_why_leaves_nothing_and_keeps_the_old_file(oblique_scan, tmp_path, monkeypatch, number):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "out.nii.gz").write_bytes(b"old")

    def fail(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("core.files.os.fsync", fail)
    scan = read(oblique_scan)
    with pytest.raises(IsocenterError) as caught:
        write_segmentation(folder / "out.nii.gz", np.zeros(scan.shape, np.uint8), scan)
    assert caught.value.mend
    assert [path.name for path in folder.iterdir()] == ["out.nii.gz"]
    assert (folder / "out.nii.gz").read_bytes() == b"old"


def test_a_folder_that_is_not_there_and_a_wrong_suffix_are_refused(oblique_scan, tmp_path):
    scan = read(oblique_scan)
    with pytest.raises(IsocenterError, match="no such folder"):
        write_volume(tmp_path / "absent" / "out.nii", scan)
    with pytest.raises(IsocenterError, match="NIfTI, NRRD or MetaImage"):
        write_volume(tmp_path / "out.png", scan)


def test_a_cancelled_write_leaves_nothing(oblique_scan, tmp_path):
    control = JobControl()
    control.cancel()
    scan = read(oblique_scan)
    with pytest.raises(Cancelled):
        write_volume(tmp_path / "out.nii", scan, control=control)
    assert [path.name for path in tmp_path.iterdir()] == ["oblique.nii.gz"]


# -- NRRD and MetaImage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("name", ["out.nrrd", "out.mha"])
def test_nrrd_and_metaimage_keep_voxels_type_and_place(tmp_path, dtype, name):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 1.3, 2.1)
    affine[:3, 3] = (1 / 3, -20.7, 1e-3)
    for shape in ((3, 4, 5), (3, 4, 5, 2)):
        voxels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        write_volume(tmp_path / name, volume_of(voxels, affine))
        again = read(tmp_path / name)
        np.testing.assert_array_equal(again.voxels, voxels)
        assert again.voxels.dtype == np.dtype(dtype)
        np.testing.assert_allclose(again.affine_ras, affine, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["out.nrrd", "out.mha"])
@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "written"),
    [
        ("i2", 1.0, -1024.0, "i2"),  # Hounsfield units
        ("u1", 2.0, 0.0, "i2"),
        ("u2", 1.0, -1.0, "i4"),
        ("i2", 0.25, -1024.0, "f4"),
        ("i4", 0.5, 0.0, "f8"),
        ("f4", 2.0, 1.0, "f4"),
    ],
)
def test_formats_without_scaling_get_the_true_values(tmp_path, name, stored, slope, intercept, written):
    high = 2**30 if stored == "i4" else 65_000 if stored == "u2" else 200
    voxels = np.linspace(0, high, 24).astype(stored).reshape(2, 3, 4)
    write_volume(tmp_path / name, replace(volume_of(voxels, np.eye(4)), slope=slope, intercept=intercept))
    again = read(tmp_path / name)
    np.testing.assert_array_equal(again.voxels, voxels * np.float64(slope) + intercept)
    assert again.voxels.dtype == np.dtype(written)


def test_segmentations_can_be_nrrd(oblique_scan, tmp_path):
    scan = read(oblique_scan)
    labels = (np.asarray(scan.voxels) % 3).astype(np.int64)
    write_segmentation(tmp_path / "out.nrrd", labels, scan)
    again = read(tmp_path / "out.nrrd")
    np.testing.assert_array_equal(again.voxels, labels)
    np.testing.assert_array_equal(again.affine_ras, scan.affine_ras)
