"""Folds: every case once, subjects together, strata spread, the same for the same data and seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.data.case import Case, CaseFacts
from core.data.dataset import Dataset
from core.data.folds import draw_folds
from core.data.plan import Label
from core.errors import DatasetError


def dataset(
    voxels: list[dict[int, int]], subjects: list[str] | None = None, same: dict[int, int] | None = None
) -> Dataset:
    """Cases with these label volumes; `same` maps a case to the one whose image it repeats."""
    ids = [f"case_{n:02d}" for n in range(len(voxels))]
    cases = [
        Case(id, Path(f"{id}.nii"), Path(f"{id}.nii"), subjects[n] if subjects else id) for n, id in enumerate(ids)
    ]
    facts = {
        id: CaseFacts((16, 16, 16), (1.0, 1.0, 1.0), voxels[n], f"image {(same or {}).get(n, n)}")
        for n, id in enumerate(ids)
    }
    labels = tuple(Label(value=v, name=f"Label {v}") for v in sorted({v for one in voxels for v in one}))
    return Dataset(Path("data"), "images and labels", "MR", tuple(cases), labels, facts, ())


def test_every_case_is_in_one_fold_or_in_the_test_part() -> None:
    data = dataset([{1: 10 + n} for n in range(23)])
    drawn = draw_folds(data, count=5, test_fraction=0.2, seed=1)
    assert sorted(id for part in [*drawn.folds, drawn.test] for id in part) == sorted(data.facts)
    assert len(drawn.test) == 5
    assert {len(fold) for fold in drawn.folds} <= {3, 4}
    for n, fold in enumerate(drawn.folds):
        split = drawn.split(n)
        assert split.val == fold and not {*split.train} & {*fold, *drawn.test}
        assert len(split.train) + len(fold) == 18


def test_same_seed_draws_the_same_folds_and_another_draws_others() -> None:
    data = dataset([{1: 10 + n} for n in range(20)])
    first, again, other = (draw_folds(data, count=4, test_fraction=0, seed=seed) for seed in (3, 3, 4))
    assert first == again and first.fingerprint(data) == again.fingerprint(data)
    assert first != other and first.fingerprint(data) != other.fingerprint(data)


def test_scans_of_one_subject_and_equal_images_stay_in_one_fold() -> None:
    subjects = [f"sub-{n // 2}" for n in range(12)]
    data = dataset([{1: 10}] * 12, subjects, same={11: 0})
    for seed in range(5):
        fold_of = {
            id: n for n, ids in enumerate(draw_folds(data, count=3, test_fraction=0, seed=seed).folds) for id in ids
        }
        assert all(fold_of[f"case_{n:02d}"] == fold_of[f"case_{n + 1:02d}"] for n in range(0, 12, 2))
        assert fold_of["case_11"] == fold_of["case_00"]


def test_a_rare_structure_is_spread_over_the_folds() -> None:
    data = dataset([{1: 10, 2: 5} if n in (4, 9, 14) else {1: 10 + n} for n in range(21)])
    for seed in range(10):
        folds = draw_folds(data, count=3, test_fraction=0, seed=seed).folds
        assert [sum(2 in data.facts[id].voxels for id in fold) for fold in folds] == [1, 1, 1]
        assert {len(fold) for fold in folds} == {7}


def test_small_and_large_structures_are_spread_over_the_folds() -> None:
    data = dataset([{1: 10 if n < 9 else 100 + n if n < 18 else 1000 + n} for n in range(27)])
    for fold in draw_folds(data, count=3, test_fraction=0, seed=0).folds:
        assert Counter(len(str(data.facts[id].voxels[1])) for id in fold) == {2: 3, 3: 3, 4: 3}


@pytest.mark.parametrize(
    ("count", "share", "message"),
    [
        (7, 0.0, "6 subjects cannot be dealt into 7"),
        (5, 0.4, "kept for the test"),
        (1, 0.0, "no cross-validation"),
    ],
)
def test_too_few_subjects_are_refused(count: int, share: float, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        draw_folds(dataset([{1: 10}] * 6), count=count, test_fraction=share, seed=0)
