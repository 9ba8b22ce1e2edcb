from __future__ import annotations

import pytest

from core.inference.sides import asymmetries


def of(**volumes: float) -> list[dict[str, object]]:
    return [{"name": name.replace("__", ", "), "volume_ml": volume} for name, volume in volumes.items()]


def figures(structures: list[dict[str, object]]) -> dict[str, float | None]:
    return {one.name: one.percent for one in asymmetries(structures)}


def test_a_larger_left_side_is_positive_and_measured_against_the_mean():
    assert figures(of(Hippocampus__left=1.1, Hippocampus__right=0.9)) == {"Hippocampus": pytest.approx(20)}


def test_each_pair_has_its_index_and_all_of_them_together_one_more():
    found = figures(of(Anterior__left=1, Posterior__left=2, Anterior__right=2, Posterior__right=2))
    assert found == {"Anterior": pytest.approx(-200 / 3), "Posterior": 0, "Total": pytest.approx(-200 / 7)}


def test_a_side_that_was_not_found_is_200_percent_and_none_of_both_has_no_figure():
    assert figures(of(kidney_left=3.0, kidney_right=0)) == {"Kidney": 200}
    assert figures(of(kidney_left=0, kidney_right=0)) == {"Kidney": None}


def test_what_has_no_sides_has_no_asymmetry_and_no_total_is_made_over_it():
    assert asymmetries(of(Anterior=1, Posterior=2, Right__lobe=1)) == []
    assert list(figures(of(Liver=1, a_left=1, a_right=1, b_left=1, b_right=2))) == ["A", "B"]
