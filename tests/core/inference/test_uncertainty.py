from __future__ import annotations

from pathlib import Path

import numpy as np

from core.imaging.reader import read
from core.inference.package import ModelPackage
from core.inference.predictor import predict_file, segment
from core.inference.uncertainty import uncertainty_beside, uncertainty_of


def test_the_map_lies_on_the_scans_own_grid_and_holds_one_minus_the_probability(
    package: ModelPackage, scan: Path, tmp_path: Path
):
    result = predict_file(scan, package, tmp_path / "out", uncertainty=True)
    assert result.uncertainty == uncertainty_beside(result.output) and result.uncertainty.is_file()
    written, volume = read(result.uncertainty), read(scan)
    assert written.voxels.dtype == np.uint8 and np.allclose(written.affine_ras, volume.affine_ras)
    certainty = segment(volume, package).certainty
    assert np.abs(written.values() - (1 - certainty)).max() <= 0.51 / 255
    assert result.as_dict()["uncertainty"] == str(result.uncertainty)


def test_without_being_asked_no_map_is_written(package: ModelPackage, scan: Path, tmp_path: Path):
    result = predict_file(scan, package, tmp_path / "out")
    assert result.uncertainty is None and not uncertainty_beside(result.output).exists()
    assert "uncertainty" not in result.as_dict()


def test_where_the_model_did_not_look_the_map_is_zero():
    assert uncertainty_of(np.array([0.0, 1.0, 0.6], np.float32)).tolist() == [0, 0, 102]
