"""The awkward and the malformed volumes against what their manifest says of each."""

from __future__ import annotations

import json
import time

import nibabel as nib
import numpy as np
import pytest

from core.errors import UnreadableScan
from core.imaging.reader import read
from core.imaging.writer import write_volume

# What a finding has to be told of, beside what is plainly well.
FINDINGS = {
    "qform_sform_disagree.nii.gz": {"forms_disagree"},
    "no_orientation_codes.nii.gz": {"no_orientation"},
    "sheared_sform.nii.gz": {"forms_disagree", "sheared"},
    "four_d_4_volumes.nii.gz": {"time_series"},
    "five_d_vector_1x3.nii.gz": {"vector"},
    "rgb24.nii.gz": {"colour"},
    "nan_inf_voxels.nii.gz": {"non_finite"},
    "constant_zero.nii.gz": {"constant"},
}


@pytest.fixture
def folder(data_folder):
    return data_folder / "derived_awkward_volumes"


def values(volume) -> np.ndarray:
    return np.asarray(volume.voxels) * np.float64(volume.slope) + volume.intercept


def test_every_valid_volume_has_its_shape_mean_and_place(folder):
    expected = json.loads((folder / "MANIFEST.json").read_text())["valid"]
    assert len(expected) > 20
    for name, facts in expected.items():
        volume = read(folder / "valid" / name.split("+")[0])  # a pair is named by both of its files
        assert list(volume.shape) == [n for i, n in enumerate(facts["shape"]) if i < 3 or n > 1], name
        assert {finding.code for finding in volume.findings} == FINDINGS.get(name, set()), name
        if "mean" in facts and name != "nan_inf_voxels.nii.gz":  # its mean was taken before its voxels were changed
            assert values(volume).mean() == pytest.approx(facts["mean"], rel=1e-9), name
        if "affine" in facts:
            np.testing.assert_allclose(volume.affine_ras, facts["affine"], rtol=0, atol=1e-5, err_msg=name)


def test_every_valid_nifti_volume_holds_what_nibabel_reads(folder):
    for path in sorted((folder / "valid").glob("*.nii*")):
        if path.name.startswith("rgb24"):
            continue
        image, volume = nib.load(path), read(path)
        theirs = image.get_fdata().reshape(volume.shape)
        np.testing.assert_array_equal(values(volume), theirs, err_msg=path.name)
        np.testing.assert_allclose(volume.affine_ras, image.affine, rtol=0, atol=1e-6, err_msg=path.name)


def test_one_volume_is_the_same_in_every_format(folder):
    same = [read(folder / "valid" / name) for name in ("oblique_anisotropic.nii.gz", "oblique.mha", "oblique.mhd")]
    same += [read(folder / "valid" / "oblique.nrrd")]
    for volume in same[1:]:
        np.testing.assert_array_equal(volume.voxels, same[0].voxels)
        np.testing.assert_allclose(volume.affine_ras, same[0].affine_ras, rtol=0, atol=1e-5)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_every_valid_volume_survives_conversion(folder, tmp_path, suffix):
    for path in sorted((folder / "valid").iterdir()):
        if path.suffix in (".raw", ".img"):
            continue
        before = read(path)
        write_volume(tmp_path / f"out{suffix}", before)
        after = read(tmp_path / f"out{suffix}")
        np.testing.assert_array_equal(values(after), values(before), err_msg=path.name)
        np.testing.assert_allclose(after.affine_ras, before.affine_ras, rtol=0, atol=1e-5, err_msg=path.name)


def test_every_malformed_volume_is_refused_at_once_with_a_way_to_mend_it(folder):
    broken = json.loads((folder / "MANIFEST.json").read_text())["malformed"]
    assert len(broken) > 30
    for name in broken:
        start = time.perf_counter()
        with pytest.raises(UnreadableScan) as caught:
            read(folder / "malformed" / name)
        assert caught.value.where and caught.value.mend, name
        assert time.perf_counter() - start < 0.5, name


def test_the_average_head_and_the_simulated_pair_are_as_nibabel_reads_them(data_folder):
    paths = [data_folder / "icbm152" / "spm152.nii.gz", *(data_folder / "brain_pet_mr_simulated").glob("*.nii")]
    assert len(paths) == 3
    for path in paths:
        image, volume = nib.load(path), read(path)
        np.testing.assert_array_equal(volume.voxels, np.asarray(image.dataobj.get_unscaled()))
        np.testing.assert_allclose(volume.affine_ras, image.affine, rtol=0, atol=1e-6)
        assert (volume.slope, volume.intercept) == pytest.approx((image.dataobj.slope, image.dataobj.inter))
        assert volume.findings == ()
