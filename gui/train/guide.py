"""What the middle of the Train page says while no run is shown: what comes next."""

from __future__ import annotations

from typing import Any

from gui.train.data_kinds import DataKind

READY = (
    "The curves grow here once it has started; a run can be paused, stopped and gone on with at any time, and its best "
    "checkpoint is kept."
)


def guide(busy: bool, dataset: Any, path: str, why: str, kind: DataKind) -> tuple[str, str]:
    """A title and a text. dataset: checked and ready, or None; path: of the data; why: what keeps a run from starting.

    >>> from gui.train.data_kinds import KINDS
    >>> guide(False, None, "/data", "choose an outcome", KINDS["table"])
    ('Not ready yet', 'To start: choose an outcome.')
    """
    if busy:
        return "Preparing the run…", "The data is read once more and the split into training and validation drawn."
    if dataset is not None:
        return "Ready to train", f"{dataset.summary()}. {READY}"
    if path:
        return "Not ready yet", f"To start: {why}."
    return "Train a model on your own data", f"{kind.text} Then look through the settings and start."
