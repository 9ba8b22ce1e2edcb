from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.imaging.reader import read
from core.inference.calibrating import fitted
from core.inference.package import ModelPackage
from core.inference.predictor import predict_file, segment
from core.inference.uncertainty import uncertainty_beside, uncertainty_of
from tests.core.making import write_nifti


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


def test_calibrated_confidence_changes_no_label(make_package: Callable[..., ModelPackage], tmp_path: Path):
    plain = make_package()
    known = make_package(
        name="known",
        calibration={"temperature": 2.0, "fitted_cases": 4, "cases": 4, "error_before": 0.1, "error_after": 0},
    )
    noise = np.random.default_rng(0).normal(0, 100, (20, 20, 20)).astype(np.float32)
    volume = read(write_nifti(tmp_path / "noise.nii.gz", noise))
    before, after = segment(volume, plain), segment(volume, known)
    assert np.array_equal(before.labels, after.labels)
    doubtful = before.certainty < 0.99
    assert doubtful.sum() > 100
    odds = before.certainty[doubtful].astype(float) / (1 - before.certainty[doubtful])
    assert after.certainty[doubtful] == pytest.approx(np.sqrt(odds) / (1 + np.sqrt(odds)), abs=1e-4)
    assert after.structures[0].confidence < before.structures[0].confidence
    assert "calibrated" in {finding.code for finding in after.findings} - {finding.code for finding in before.findings}


def overconfident(cases: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Voxels whose probabilities are those of a model that is twice as sure, in log-odds, as it is right."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(cases):
        odds = rng.normal(1.5, 1.0, 4000)
        right = rng.random(4000) < 1 / (1 + np.exp(-odds))
        made.append((1 / (1 + np.exp(-2 * odds)), right))
    return made


def test_a_model_that_is_too_sure_is_cooled_down_and_the_error_is_that_on_other_cases():
    found = fitted(overconfident(6, 0), overconfident(5, 1))
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    assert (found.fitted_on, found.measured_on, found.fitted_cases, found.cases) == ("val", "test", 6, 5)
    assert found.error_before > 0.08 and found.error_after < 0.02


def test_with_one_part_alone_each_half_is_measured_at_the_temperature_of_the_other():
    found = fitted([], overconfident(6, 0))
    assert found.halves and found.fitted_on == found.measured_on == "test" and found.cases == 6
    assert found.error_after < found.error_before / 3


def test_too_few_cases_calibrate_nothing():
    assert fitted(overconfident(3, 0), overconfident(2, 1)) is None


def test_a_temperature_that_helps_nowhere_else_is_not_taken():
    doubtful = [(1 / (1 + np.exp(-np.log(s / (1 - s)) / 2)), right) for s, right in overconfident(5, 1)]
    found = fitted(overconfident(6, 0), doubtful)  # the test part is rightly sure as it is
    assert found.temperature == 1.0 and found.error_after == found.error_before
