"""Folds of a cross-validation: whole subjects, as alike as can be in their structures and volumes, drawn by a seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from core.data.dataset import Dataset
from core.data.split import Split, groups_of
from core.errors import DatasetError

Stratum = tuple[tuple[int, ...], int]  # the labels that are there, and the third of the volumes it belongs to


@dataclass(frozen=True)
class Folds:
    """Case ids: each is in exactly one fold, or in the test part that no fold touches."""

    folds: list[list[str]]
    test: list[str]

    def split(self, fold: int) -> Split:
        """The parts of one fold: validation is the fold, training all the others."""
        train = sorted(id for n, ids in enumerate(self.folds) if n != fold for id in ids)
        return Split(train, list(self.folds[fold]), list(self.test))

    def fingerprint(self, dataset: Dataset) -> str:
        """Equal for the same images in the same folds, wherever the data set lies."""
        parts = [[[id, dataset.facts[id].content] for id in ids] for ids in [*self.folds, self.test]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def draw_folds(dataset: Dataset, *, count: int, test_fraction: float, seed: int) -> Folds:
    """Deal the readable cases into `count` folds; the same for every experiment on the same data, share and seed.

    Subjects are dealt stratum by stratum (the same labels; where there are enough of them, the same third by
    labelled volume), rare labels first, so that folds hold as equal shares of each as can be. Images of equal content
    count as one subject. Raises DatasetError where there are too few subjects.
    """
    if count < 2:
        raise DatasetError(f"{count} folds are no cross-validation", mend="Choose at least 2.")
    subjects = list(groups_of(dataset).values())
    chance = random.Random(f"folds-{seed}")
    chance.shuffle(subjects)
    strata = _strata(dataset, subjects, count)
    rarity = Counter(label for labels, _ in strata for label in labels)
    order = sorted(range(len(subjects)), key=lambda n: (min((rarity[v] for v in strata[n][0]), default=0), strata[n]))
    held_out = _evenly(order, max(round(len(order) * test_fraction), 1) if test_fraction > 0 else 0)
    dealt = [n for n in order if n not in held_out]
    if len(dealt) < count:
        kept = f", {len(held_out)} of {len(order)} being kept for the test" if held_out else ""
        raise DatasetError(
            f"{len(dealt)} subjects cannot be dealt into {count} folds{kept}",
            where=dataset.path,
            mend="Choose fewer folds, or add cases.",
        )
    folds: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    of_stratum: dict[Stratum, list[int]] = defaultdict(lambda: [0] * count)
    of_label: dict[int, list[int]] = defaultdict(lambda: [0] * count)
    for n in dealt:
        labels = strata[n][0]
        rarest = min(labels, key=lambda value: (rarity[value], value), default=0)
        place = min(
            range(count), key=lambda f: (of_stratum[strata[n]][f], of_label[rarest][f], sizes[f], chance.random())
        )
        folds[place] += subjects[n]
        sizes[place] += 1
        of_stratum[strata[n]][place] += 1
        for value in labels:
            of_label[value][place] += 1
    return Folds([sorted(ids) for ids in folds], sorted(id for n in held_out for id in subjects[n]))


def _strata(dataset: Dataset, subjects: list[list[str]], count: int) -> list[Stratum]:
    """Of each subject: which labels it has and, where each third would fill the folds, the third of its volume."""
    facts = [[dataset.facts[id] for id in ids] for ids in subjects]
    labels = [tuple(sorted({value for fact in of for value in fact.voxels})) for of in facts]
    volumes = np.array([np.mean([sum(fact.voxels.values()) * np.prod(fact.spacing_mm) for fact in of]) for of in facts])
    thirds = np.zeros(len(subjects), int)
    for kind in set(labels):
        members = np.array([n for n, one in enumerate(labels) if one == kind])
        if len(members) >= 3 * count:
            thirds[members] = np.searchsorted(np.quantile(volumes[members], (1 / 3, 2 / 3)), volumes[members])
    return [(kind, int(third)) for kind, third in zip(labels, thirds, strict=True)]


def _evenly(order: list[int], count: int) -> set[int]:
    """`count` members, spread evenly over the order and so over its strata."""
    return {order[int((n + 0.5) * len(order) / count)] for n in range(count)}
