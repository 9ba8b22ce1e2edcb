from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest

from core.catalog import Catalog
from core.cli import main
from core.imaging.reader import read
from core.imaging.writer import write_segmentation
from tests.core.making import write_nifti

HEIGHTS = [2.5 * k for k in range(6)]


@pytest.fixture
def scan(make_series):
    return read(make_series(HEIGHTS))


@pytest.fixture
def seg(scan, tmp_path):
    """A label map on the grid of a DICOM series, as a prediction leaves it."""
    labels = np.zeros(scan.grid_shape, np.uint8)
    labels[1:3, 1:4, 1:4], labels[3:5, 1:4, 2:5] = 1, 2
    path = tmp_path / "seg.nii.gz"
    write_segmentation(path, labels, scan)
    return path


def answered(capsys, *args) -> dict:
    capsys.readouterr()
    assert main(["export", *map(str, args), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *args) -> str:
    capsys.readouterr()
    assert main(["export", *map(str, args)]) == 2
    return capsys.readouterr().err


def remember(seg, scan) -> None:
    from core.files import sha256

    with Catalog() as catalog:
        catalog.add_prediction(
            scan=scan.source.path, series=scan.source.series, model="lung", model_version="2.1", output=seg,
            sha256=sha256(seg), structures=[{"label": 1, "name": "Lung, left"}, {"label": 2, "name": "Lung, right"}],
            findings=[], seconds=1.0, device="cpu",
        )  # fmt: skip


def test_a_prediction_knows_its_scan_its_model_and_its_names(capsys, scan, seg, tmp_path):
    remember(seg, scan)
    told = answered(capsys, seg, tmp_path / "out.dcm")
    assert told["format"] == "seg"
    assert told["structures"] == [{"label": 1, "name": "Lung, left"}, {"label": 2, "name": "Lung, right"}]
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert [s.SegmentLabel for s in made.SegmentSequence] == ["Lung, left", "Lung, right"]
    assert made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "lung"


def test_any_label_map_goes_with_a_scan_and_names_of_its_own(capsys, scan, seg, tmp_path):
    answered(capsys, seg, tmp_path / "out", "--format", "seg", "--scan", scan.source.path, "--name", "2=Cyst")
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert [s.SegmentLabel for s in made.SegmentSequence] == ["Label 1", "Cyst"]
    assert made.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_surfaces_one_for_all_or_one_each(capsys, seg, tmp_path):
    told = answered(capsys, seg, tmp_path / "all.obj")
    assert told["outputs"] == [str(tmp_path / "all.obj")]
    told = answered(capsys, seg, tmp_path / "one.stl", "--separate", "--space", "LPS")
    assert told["outputs"] == [str(tmp_path / "one_label_1.stl"), str(tmp_path / "one_label_2.stl")]
    assert b"SPACE=LPS" in (tmp_path / "one_label_1.stl").read_bytes()[:80]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_label_maps_come_back_on_the_same_grid(capsys, scan, seg, tmp_path, suffix):
    answered(capsys, seg, tmp_path / f"out{suffix}")
    made = read(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(made.voxels, read(seg).voxels)
    np.testing.assert_allclose(made.affine_ras, scan.affine_ras, atol=1e-4)


def test_bad_requests_say_how_to_mend_them(capsys, scan, seg, tmp_path):
    assert "--scan" in refused(capsys, seg, tmp_path / "out.dcm")
    assert "End it with" in refused(capsys, seg, tmp_path / "out.vtk")
    assert "--format" in refused(capsys, seg, tmp_path / "out.stl", "--format", "seg")
    assert "LABEL=NAME" in refused(capsys, seg, tmp_path / "out.stl", "--name", "Cyst")
    assert "overwrite" in refused(capsys, seg, seg)
    other = write_nifti(tmp_path / "other.nii.gz", np.zeros((4, 4, 4), np.int16))
    assert "another grid" in refused(capsys, seg, tmp_path / "out.stl", "--scan", other)
    image = write_nifti(tmp_path / "image.nii.gz", np.full((4, 4, 4), 0.5, np.float32))
    assert "whole numbers" in refused(capsys, image, tmp_path / "out.stl")
    assert "no label map" in refused(capsys, scan.source.path, tmp_path / "out.stl")
    assert not list(tmp_path.glob("out*"))
