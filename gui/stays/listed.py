"""The list of stays for Qt."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from core.data.stays.series import Stays

Index = QModelIndex | QPersistentModelIndex


class StaysModel(QAbstractListModel):
    """The names of the stays with how much was measured in each."""

    def __init__(self) -> None:
        super().__init__()
        self.stays: Stays | None = None
        self._counts: list[int] = []

    def show_stays(self, stays: Stays) -> None:
        self.beginResetModel()
        self.stays, self._counts = stays, stays.counts().tolist()
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() or self.stays is None else len(self.stays)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self.stays is None or role != Qt.ItemDataRole.DisplayRole:
            return None
        return f"{self.stays.ids[index.row()]}  ·  {self._counts[index.row()]:,} values"
