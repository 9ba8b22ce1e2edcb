"""What the settings were before each change, to go back to. No Qt."""

from __future__ import annotations

from typing import Any

from gui.train.changes import differences

MOST = 200

Tree = dict[str, Any]


class Edits:
    """Steps back and forth between trees; changes of one field one after another are one step.

    >>> edits = Edits()
    >>> edits.note({"lr": 1}, {"lr": 10}); edits.note({"lr": 10}, {"lr": 100}); edits.note({"lr": 100}, {"n": 1})
    >>> edits.undo({"n": 1}), edits.undo({"lr": 100}), edits.can_undo
    ({'lr': 100}, {'lr': 1}, False)
    """

    def __init__(self) -> None:
        self._past: list[Tree] = []
        self._future: list[Tree] = []
        self._field = ""

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def note(self, before: Tree, after: Tree) -> None:
        """A change was made."""
        changed = list(differences(before, after))
        if not changed:
            return
        field = changed[0] if len(changed) == 1 else ""
        if not field or field != self._field:
            self._past = [*self._past, before][-MOST:]
        self._field = field
        self._future.clear()

    def undo(self, now: Tree) -> Tree:
        """The tree before the last step; `now` where there is none."""
        return self._step(now, self._past, self._future)

    def redo(self, now: Tree) -> Tree:
        return self._step(now, self._future, self._past)

    def _step(self, now: Tree, source: list[Tree], other: list[Tree]) -> Tree:
        self._field = ""
        if not source:
            return now
        other.append(now)
        return source.pop()
