from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.metrics.intervals import bootstrap_mean
from core.metrics.segmentation import Pair, metrics, register_metric
from core.metrics.segmentation import pair as pair_module
from core.metrics.segmentation.summary import summarise
from core.metrics.surfaces import measure_surfaces, surface_areas

Array = np.ndarray[Any, Any]


def cube(side: int, start: int = 5, size: int = 30) -> Array:
    mask = np.zeros((size,) * 3, bool)
    mask[(slice(start, start + side),) * 3] = True
    return mask


def ball(radius_mm: float, spacing_mm: tuple[float, float, float], half_mm: float = 26.0) -> Array:
    axes = [np.arange(-half_mm, half_mm + s / 2, s) for s in spacing_mm]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x**2 + y**2 + z**2 <= radius_mm**2


def values(truth: Array, prediction: Array, spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0), tolerance_mm: float = 1.0):
    pair = Pair(truth, prediction, spacing_mm, tolerance_mm)
    return {name: metric(pair) for name, metric in metrics().items()}


def test_equal_masks_agree_in_every_metric() -> None:
    found = values(cube(8), cube(8), (0.7, 1.0, 3.0), tolerance_mm=0.0)
    assert {name: value for name, value in found.items() if name != "hd95"} == pytest.approx(
        dict.fromkeys(found.keys() - {"hd95"}, 1.0)
    )
    assert found["hd95"] == 0


@pytest.mark.parametrize(("spacing", "moved", "inner"), [((1.0, 1.0, 1.0), 1.0, 8 * 8), ((2.5, 1.0, 1.0), 2.5, 4 * 4)])
def test_a_cube_moved_by_one_voxel(spacing: tuple[float, ...], moved: float, inner: int) -> None:
    truth = cube(10)
    found = values(truth, np.roll(truth, 1, axis=0), spacing, tolerance_mm=moved - 0.1)
    assert found["dice"] == pytest.approx(0.9) and found["jaccard"] == pytest.approx(9 / 11)
    assert found["accuracy"] == pytest.approx(1 - 200 / 27_000)
    assert found["hd95"] == pytest.approx(moved)
    # Of each cube one layer lies beyond the other's surface, and so does the inner part of the opposite face.
    a, b, c = spacing
    area = 200 * b * c + 400 * a * b
    assert found["nsd"] == pytest.approx(1 - (100 * b * c + 40 * a * b + inner * b * c) / area)
    assert values(truth, np.roll(truth, 1, axis=0), spacing, tolerance_mm=moved)["nsd"] == 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0)])
def test_two_balls_about_one_centre_lie_their_radii_apart(spacing: tuple[float, float, float]) -> None:
    truth, prediction = ball(14, spacing), ball(20, spacing)
    found = values(truth, prediction, spacing, tolerance_mm=3.0)
    voxel = max(spacing)
    assert found["hd95"] == pytest.approx(6, abs=voxel)
    assert found["nsd"] == 0 and found["boundary_f1"] == 0
    assert found["dice"] == pytest.approx(2 * 14**3 / (14**3 + 20**3), abs=0.01)
    assert values(truth, prediction, spacing, tolerance_mm=6 + voxel)["boundary_f1"] == 1


def test_half_a_prediction_has_precision_but_half_the_recall() -> None:
    truth = cube(20, start=2)
    truth[2:22, 2:22, 2:22] = False
    truth[2:22, 2:22, 4] = True  # a sheet: all surface
    half = truth.copy()
    half[12:] = False
    found = values(truth, half, tolerance_mm=0.0)
    # Both have faces above and below; the rims are what the parts differ by.
    recall = surface_areas(truth, (1, 1, 1))[half].sum() / surface_areas(truth, (1, 1, 1)).sum()
    assert found["boundary_f1"] == pytest.approx(2 * recall / (1 + recall))
    assert found["hd95"] == 10  # the sheet's last row, with its rim, is a little more than 5 % of its surface


def test_thick_slices_count_as_much_as_they_cover() -> None:
    thin, thick = cube(12), cube(12)[:, :, ::3]
    areas = [surface_areas(mask, (1.0, 1.0, s)).sum() for mask, s in ((thin, 1.0), (thick, 3.0))]
    assert areas[0] == 6 * 144 and areas[1] == pytest.approx(areas[0])


def test_surfaces_do_not_depend_on_the_room_around() -> None:
    small = measure_surfaces(cube(4, 0, 6), cube(5, 0, 6), (1.0, 1.0, 1.0))
    large = measure_surfaces(cube(4, 9, 30), cube(5, 9, 30), (1.0, 1.0, 1.0))
    assert np.array_equal(small.of_truth.distances, large.of_truth.distances)
    assert np.array_equal(small.of_prediction.areas, large.of_prediction.areas)


@pytest.mark.parametrize(
    ("truth", "prediction", "similarity", "missed", "false_alarm"),
    [(0, 0, 1.0, False, False), (6, 0, 0.0, True, False), (0, 6, 0.0, False, True)],
    ids=["both empty", "missed", "false alarm"],
)
def test_empty_masks_follow_the_table(
    truth: int, prediction: int, similarity: float, missed: bool, false_alarm: bool
) -> None:
    pair = Pair(cube(truth), cube(prediction), (1.0, 2.0, 2.0))
    for name in ("dice", "jaccard", "nsd", "boundary_f1"):
        assert metrics()[name](pair) == similarity
    diagonal = 29 * 3.0  # of 29 x 58 x 58 mm
    assert metrics()["hd95"](pair) == pytest.approx(0 if similarity else diagonal)
    assert metrics()["accuracy"](pair) == pytest.approx(1 - (truth**3 + prediction**3) / 27_000)
    assert (pair.missed, pair.false_alarm) == (missed, false_alarm)


def test_a_metric_of_ones_own_is_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics()
    monkeypatch.setattr(pair_module, "_metrics", dict(pair_module._metrics))

    @register_metric("precision", title="Precision")
    def precision(pair: Pair) -> float:
        return (pair.truth & pair.prediction).sum() / pair.prediction.sum()

    assert values(cube(4), cube(8))["precision"] == pytest.approx(1 / 8)
    assert values(cube(4), cube(0))["precision"] == 0
    with pytest.raises(ValueError, match="two metrics"):
        register_metric("dice", title="Another")(precision)


def test_missed_structures_are_counted_and_stay_in_the_mean() -> None:
    keys = [*metrics(), "volume_error_ml"]
    rows: list[dict[str, Any]] = [
        {key: {"A": 1.0, "B": 0.5} for key in keys} | {"missed": [], "false_alarms": ["B"]},
        {key: {"A": 0.0, "B": -0.5} for key in keys} | {"missed": ["A"], "false_alarms": []},
    ]
    figures, intervals = summarise(rows, ["A", "B"])
    assert figures["test/dice/A"] == 0.5 and figures["test/dice"] == 0.25
    assert figures["test/volume_error_ml/B"] == 0.5  # how far off, whichever way
    assert (figures["test/n_missed"], figures["test/n_missed/A"], figures["test/n_missed/B"]) == (1, 1, 0)
    assert figures["test/n_false_alarms/B"] == 1
    assert intervals["test/dice/A"] == [0.0, 1.0]
    assert summarise(rows[:1], ["A", "B"])[1] == {}  # one case has no interval


def test_bootstrap_interval_is_that_of_the_normal_distribution_for_many_cases() -> None:
    draws = np.random.default_rng(5).normal(0.8, 0.1, 400)
    low, high = bootstrap_mean(draws)
    half = 1.96 * draws.std() / 20
    assert (low, high) == pytest.approx((draws.mean() - half, draws.mean() + half), abs=0.002)
    assert bootstrap_mean(draws) == [low, high]
