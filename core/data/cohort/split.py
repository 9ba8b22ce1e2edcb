"""Splitting a cohort into training, validation and test: by person, and by image, with a refusal on any overlap."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from core.data.cohort.subject import Cohort
from core.errors import DatasetError

Array = np.ndarray[Any, Any]
PARTS = ("train", "val", "test")


def split_subjects(cohort: Cohort, val_fraction: float, test_fraction: float, seed: int) -> dict[str, Array]:
    """The numbers of the rows of "train", "val" and "test", sorted, of those whose score is known.

    All visits of a person, and persons who share an image, stay on one side. The parts are alike in their scores:
    people are sorted by score, and each stretch of them is dealt out by the seed. Raises DatasetError where a part
    would be empty.
    """
    groups = _together(cohort)
    targets = cohort.targets
    order = sorted(groups, key=lambda rows: (float(np.mean(targets[rows])), rows[0]))
    n_test = max(round(len(order) * test_fraction), 1) if test_fraction else 0
    n_val = max(round(len(order) * val_fraction), 1)
    if len(order) - n_test - n_val < 1:
        raise DatasetError(
            f"{len(order)} subjects are too few to keep {n_val} for validation and {n_test} for the test",
            where=cohort.path,
            mend="Lower data.val_fraction and data.test_fraction, or add subjects.",
        )
    rng = random.Random(f"cohort-{seed}")
    dealt = _dealt(len(order), n_val, n_test, rng)
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    for part, rows in zip(dealt, order, strict=True):
        parts[part].extend(rows)
    found = {part: np.array(sorted(rows), np.int64) for part, rows in parts.items()}
    refuse_overlap(cohort, found)
    return found


def _dealt(count: int, n_val: int, n_test: int, rng: random.Random) -> list[str]:
    """The part of each of `count` people who stand in the order of their scores."""
    places = list(range(count))
    dealt = ["train"] * count
    for part, wanted in (("test", n_test), ("val", n_val)):
        # One from each of `wanted` equal stretches of those who are left.
        edges = [round(i * len(places) / wanted) for i in range(wanted + 1)] if wanted else []
        taken = [places[rng.randrange(low, high)] for low, high in pairwise(edges)]
        for place in taken:
            dealt[place] = part
        places = [place for place in places if dealt[place] == "train"]
    return dealt


def _together(cohort: Cohort) -> list[list[int]]:
    """Rows that belong together, by person or by equal image, of those with a score."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    # Rows without a score link persons too: two whose images were mixed up in an earlier visit stay together.
    for subject in cohort.subjects:
        for content in subject.contents.values():
            parent[root(f"image {content}")] = root(f"person {subject.id}")
    groups: dict[str, list[int]] = {}
    for row, subject in enumerate(cohort.subjects):
        if subject.target is not None:
            groups.setdefault(root(f"person {subject.id}"), []).append(row)
    return list(groups.values())


def identities(cohort: Cohort, rows: Collection[int]) -> dict[str, list[str]]:
    """The persons and image contents of rows, sorted: kept with a model, so that it is never tested on them."""
    people = {cohort.subjects[row].id for row in rows}
    images = {content for row in rows for content in cohort.subjects[row].contents.values()}
    return {"subjects": sorted(people), "contents": sorted(images)}


def refuse_overlap(
    cohort: Cohort, split: Mapping[str, Collection[int]], trained_on: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raise DatasetError where a person or an image stands in two parts of a split.

    trained_on: `identities` that a loaded checkpoint was trained on; they may stand in "train" only.
    """
    sides = {part: identities(cohort, rows) for part, rows in split.items()}
    names = list(sides)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for a, b in pairs:
        _refuse(cohort, sides[a], sides[b], f"both in {a} and in {b}", "Split by subject, and mend the shared images.")
    if trained_on is None:
        return
    for part in names:
        if part != "train":
            _refuse(
                cohort, sides[part], trained_on, f"in {part}, and the checkpoint was trained on them",
                "Use the split that the checkpoint was trained with, or start without it.",
            )  # fmt: skip


def _refuse(
    cohort: Cohort, one: Mapping[str, Collection[str]], other: Mapping[str, Collection[str]], how: str, mend: str
) -> None:
    people = sorted(set(one["subjects"]) & set(other["subjects"]))
    images = set(one["contents"]) & set(other["contents"])
    if people:
        some = ", ".join(people[:3]) + (" ..." if len(people) > 3 else "")
        raise DatasetError(f"{len(people)} subjects ({some}) are {how}", where=cohort.path, mend=mend)
    if images:
        raise DatasetError(f"{len(images)} images are {how}", where=cohort.path, mend=mend)
