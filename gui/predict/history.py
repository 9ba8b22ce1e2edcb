"""Which prediction lies over each scan, and which lay there before: undo and redo."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.catalog import PredictionRow

KEPT = 20


class OverlayHistory:
    """The predictions shown over one scan in turn; None is the bare scan. The files stay on disk, so this is small."""

    def __init__(self) -> None:
        self._shown: list[PredictionRow | None] = [None]
        self._at = 0

    @property
    def current(self) -> PredictionRow | None:
        return self._shown[self._at]

    @property
    def can_undo(self) -> bool:
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        return self._at + 1 < len(self._shown)

    def show(self, row: PredictionRow | None) -> None:
        """Lay another prediction, or none, over the scan; what had been undone is forgotten."""
        if row == self.current:
            return
        self._shown = [*self._shown[: self._at + 1], row][-KEPT:]
        self._at = len(self._shown) - 1

    def undo(self) -> None:
        self._at = max(self._at - 1, 0)

    def redo(self) -> None:
        self._at = min(self._at + 1, len(self._shown) - 1)

    def forget(self, row: PredictionRow) -> None:
        """Take out a prediction that can no longer be shown."""
        before = self._shown[: self._at + 1]
        self._shown = [shown for shown in self._shown if shown != row] or [None]
        self._at = max(len([shown for shown in before if shown != row]) - 1, 0)
