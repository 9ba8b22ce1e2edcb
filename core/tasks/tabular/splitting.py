"""Rows drawn into the parts of a run and into folds: outcomes evenly spread, a group never on two sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.errors import ConfigError

Array = np.ndarray[Any, Any]


def draw(
    rows: int, strata: Array | None, groups: Array | None, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, Array]:
    """Row numbers of train, val and test, sorted: outcomes evenly spread, and a group never on two sides.

    strata: (rows,) class codes, groups: (rows,) codes. Raises ConfigError where the parts cannot be made.
    """
    if val_fraction + test_fraction >= 1:
        raise ConfigError("data.val_fraction and data.test_fraction leave nothing to train on")
    left = np.arange(rows)
    parts: dict[str, Array] = {}
    for part, fraction in (("test", test_fraction), ("val", val_fraction)):
        if not fraction:
            parts[part] = left[:0]
            continue
        share = fraction * rows / len(left)
        taken = drawn(
            None if strata is None else strata[left], None if groups is None else groups[left], len(left), share, seed
        )
        parts[part], left = left[taken], left[~taken]
    if not len(left) or not len(parts["val"]):
        raise ConfigError("too few rows or subjects for the parts asked for", mend="Choose another data.val_fraction.")
    return {"train": left, "val": np.sort(parts["val"]), "test": np.sort(parts["test"])}


def drawn(strata: Array | None, groups: Array | None, rows: int, share: float, seed: int) -> Array:
    """Which rows are drawn, (rows,) bool: whole groups, or rows of each stratum, until `share` of them is reached."""
    rng = np.random.default_rng(seed)
    taken = np.zeros(rows, bool)
    if groups is not None:
        names, sizes = np.unique(groups, return_counts=True)
        order = rng.permutation(len(names))
        if strata is not None:
            # Subjects by their commonest outcome, each kind of them drawn by itself.
            commonest = np.array([np.bincount(strata[groups == name]).argmax() for name in names])
        else:
            commonest = np.zeros(len(names), int)
        for kind in np.unique(commonest):
            members = [i for i in order if commonest[i] == kind]
            wanted, count = share * sizes[members].sum(), 0
            for i in members:
                if count + sizes[i] / 2 > wanted:
                    break
                taken |= groups == names[i]
                count += sizes[i]
        return taken
    for kind in np.unique(strata) if strata is not None else [None]:
        mine = np.flatnonzero(strata == kind) if strata is not None else np.arange(rows)
        taken[rng.permutation(mine)[: round(share * len(mine))]] = True
    return taken


def deal(rows: int, strata: Array | None, groups: Array | None, count: int, seed: int) -> Array:
    """The fold of each row, (rows,) from 0: outcomes as evenly spread as can be, and a group in one fold.

    Whole groups are dealt, the largest first within their commonest outcome, each to the fold that has the fewest rows
    of that outcome. Raises ConfigError where there are fewer groups than folds.
    """
    codes = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    members = int(codes.max()) + 1 if rows else 0
    if not 2 <= count <= members:
        raise ConfigError(
            f"{members:,} rows or subjects cannot be dealt into {count} folds", mend=f"Choose 2 to {max(members, 2)}."
        )
    kinds = np.zeros(rows, np.int64) if strata is None else np.asarray(strata)
    tally = np.zeros((members, int(kinds.max()) + 1), np.int64)  # rows of each outcome in each group
    np.add.at(tally, (codes, kinds), 1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(members)
    order = order[np.lexsort((-tally.sum(axis=1)[order], tally.argmax(axis=1)[order]))]
    filled = np.zeros((count, tally.shape[1]), np.int64)
    fold_of = np.zeros(members, np.int64)
    for member in order:
        kind = tally[member].argmax()
        chosen = min(range(count), key=lambda fold: (filled[fold, kind], filled[fold].sum(), fold))
        fold_of[member] = chosen
        filled[chosen] += tally[member]
    return np.asarray(fold_of[codes])
