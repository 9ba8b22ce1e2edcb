"""A person or an image is never on two sides of a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.data.cohort.split import identities, refuse_overlap, split_subjects
from core.data.cohort.subject import Cohort, Subject
from core.errors import DatasetError


def cohort(*rows: tuple[str, str, str | None]) -> Cohort:
    """Subjects as (id, visit, content of the MRI), with a score each."""
    clinical = np.zeros(0, np.float32)
    subjects = [
        Subject(name, visit, None, None, clinical, (i % 10) / 10, {}, {} if content is None else {"mri": content})
        for i, (name, visit, content) in enumerate(rows)
    ]
    return Cohort(Path("cohort"), subjects, [], "score")


def test_the_parts_hold_everyone_once_and_have_the_sizes_asked_for() -> None:
    people = cohort(*((f"s{i}", "", f"c{i}") for i in range(50)))
    split = split_subjects(people, 0.2, 0.1, 3)
    assert {part: len(rows) for part, rows in split.items()} == {"train": 35, "val": 10, "test": 5}
    assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(50))
    again, other = split_subjects(people, 0.2, 0.1, 3), split_subjects(people, 0.2, 0.1, 4)
    assert all(np.array_equal(split[part], again[part]) for part in split)
    assert not np.array_equal(split["test"], other["test"])


def test_the_parts_are_alike_in_their_scores() -> None:
    people = cohort(*((f"s{i}", "", None) for i in range(100)))
    for seed in range(5):
        split = split_subjects(people, 0.2, 0.2, seed)
        means = [float(people.targets[rows].mean()) for rows in split.values()]
        assert max(means) - min(means) < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_visits_of_a_person_and_persons_who_share_an_image_stay_together(seed: int) -> None:
    rows = [(f"s{i // 2}", str(i % 2), f"c{i}") for i in range(40)]
    rows += [("x", "1", "shared"), ("y", "1", "shared"), ("y", "2", "more"), ("z", "1", "more")]
    people = cohort(*rows)
    split = split_subjects(people, 0.25, 0.25, seed)
    side = {row: part for part, chosen in split.items() for row in chosen.tolist()}
    assert all(side[i] == side[i + 1] for i in range(0, 40, 2))
    assert len({side[row] for row in range(40, 44)}) == 1


def test_rows_without_a_score_are_in_no_part() -> None:
    people = cohort(*((f"s{i}", "", None) for i in range(20)))
    subjects = [*people.subjects, Subject("new", "", None, None, np.zeros(0, np.float32), None)]
    split = split_subjects(Cohort(people.path, subjects, [], "score"), 0.2, 0.2, 0)
    assert 20 not in np.concatenate(list(split.values()))


def test_a_split_with_a_person_on_two_sides_is_refused() -> None:
    people = cohort(("a", "1", "c1"), ("a", "2", "c2"), ("b", "", "c3"))
    with pytest.raises(DatasetError, match="both in train and in test"):
        refuse_overlap(people, {"train": [0, 2], "test": [1]})


def test_a_split_with_an_image_on_two_sides_is_refused() -> None:
    people = cohort(("a", "", "same"), ("b", "", "same"))
    with pytest.raises(DatasetError, match="1 images are both in train and in val"):
        refuse_overlap(people, {"train": [0], "val": [1]})


def test_what_a_checkpoint_was_trained_on_may_be_trained_on_again_but_not_tested_on() -> None:
    people = cohort(("a", "", "c1"), ("b", "", "c2"), ("c", "", "c3"))
    seen = identities(people, [0])
    refuse_overlap(people, {"train": [0], "val": [1], "test": [2]}, seen)
    with pytest.raises(DatasetError, match="the checkpoint was trained on them"):
        refuse_overlap(people, {"train": [1], "val": [0], "test": [2]}, seen)
    renamed = cohort(("new name", "", "c1"), ("b", "", "c2"), ("c", "", "c3"))
    with pytest.raises(DatasetError, match="1 images are in test"):
        refuse_overlap(renamed, {"train": [1], "val": [2], "test": [0]}, seen)


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(DatasetError, match="too few"):
        split_subjects(cohort(("a", "", None), ("b", "", None)), 0.4, 0.4, 0)
