"""Drawing the training, validation and test parts: by subject, and identical images never on two sides."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path

from core.data.case import CheckedCases
from core.errors import DatasetError
from core.kept import kept_lists

SPLIT = "split.json"  # in a run's folder


@dataclass(frozen=True)
class Split:
    """Case ids of the three parts, recorded with the run."""

    train: list[str]
    val: list[str]
    test: list[str]

    def as_dict(self) -> dict[str, list[str]]:
        return asdict(self)


def draw(dataset: CheckedCases, *, val_fraction: float, test_fraction: float, seed: int) -> Split:
    """Split the readable cases. Raises DatasetError where a part would be empty."""
    groups = list(groups_of(dataset).values())
    random.Random(f"split-{seed}").shuffle(groups)
    n_test = round(len(groups) * test_fraction)
    n_val = max(round(len(groups) * val_fraction), 1)
    if test_fraction > 0:
        n_test = max(n_test, 1)
    if len(groups) - n_test - n_val < 1:
        count = "1 subject is" if len(groups) == 1 else f"{len(groups)} subjects are"
        same = len(groups) < len({case.subject for case in dataset.cases})
        raise DatasetError(
            f"{count} too few to keep {n_val} for validation and {n_test} for the test"
            + (" (cases with the same image count as one)" if same else ""),
            where=dataset.path,
            mend="Lower data.val_fraction and data.test_fraction, or add cases.",
        )
    test, val, train = groups[:n_test], groups[n_test : n_test + n_val], groups[n_test + n_val :]
    return Split(*(sorted(id for group in part for id in group) for part in (train, val, test)))


def with_fewer_labels(dataset: CheckedCases, split: Split, fraction: float, seed: int) -> Split:
    """The split with only a part of its training cases, by whole groups; a larger part holds all of a smaller one."""
    if fraction >= 1:
        return split
    training = set(split.train)
    groups = [part for group in groups_of(dataset).values() if (part := [id for id in group if id in training])]
    random.Random(f"labels-{seed}").shuffle(groups)
    kept = groups[: max(round(len(groups) * fraction), 1)]
    return Split(sorted(id for group in kept for id in group), split.val, split.test)


def groups_of(dataset: CheckedCases) -> dict[str, list[str]]:
    """Cases that belong together, by subject or by equal content, in a stable order."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    readable = [case for case in dataset.cases if case.id in dataset.facts]
    for case in readable:
        parent[root(f"content {dataset.facts[case.id].content}")] = root(f"subject {case.subject}")
    groups: dict[str, list[str]] = {}
    for case in readable:
        groups.setdefault(root(f"subject {case.subject}"), []).append(case.id)
    return groups


def load_split(folder: Path) -> dict[str, list[str]]:
    """The case ids of a run's parts: train, val, test."""
    return kept_lists(folder / SPLIT)
