from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from core.imaging.info import describe, intensity_range, plain_checks
from core.imaging.reader import read


def messages(volume) -> str:
    return " ".join(finding.message for finding in plain_checks(volume))


def test_description_is_plain_json_with_the_promised_keys(oblique_scan):
    facts = json.loads(json.dumps(describe(read(oblique_scan)), allow_nan=False))
    promised = {"format", "shape", "dtype", "spacing_mm", "affine_ras", "orientation", "intensity_range", "series"}
    assert promised | {"findings"} <= set(facts)
    assert facts["shape"] == [11, 9, 7]
    assert facts["spacing_mm"] == pytest.approx([0.9, 1.1, 2.0], abs=1e-5)


def test_good_news_is_told_too(oblique_scan, make_series):
    assert "sform and qform agree" in messages(read(oblique_scan))
    assert "with no slice missing" in messages(read(make_series([0, 2, 4])))
    assert "no slice missing" not in messages(read(make_series([0, 2, 4, 8, 10], folder="gap")))


def test_range_is_of_scaled_finite_values(tmp_path):
    voxels = np.array([np.nan, -2, 5, np.inf], np.float32).reshape(2, 2, 1)
    image = nib.Nifti1Image(voxels, np.eye(4))
    nib.save(image, tmp_path / "scan.nii")
    volume = read(tmp_path / "scan.nii")
    assert intensity_range(volume) == [-2.0, 5.0]
    assert "Every voxel holds a number" not in messages(volume)


def test_empty_space_is_called_so(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.int16), np.eye(4)), tmp_path / "scan.nii")
    assert "same value" in messages(read(tmp_path / "scan.nii"))
