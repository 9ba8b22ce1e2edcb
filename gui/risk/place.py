"""The place of one of a subject's images: dropped, chosen, looked at, taken away."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QVBoxLayout

from gui.scans.opening import SCAN_FILES, dropped_paths
from gui.widgets import ElidedLabel, dress, label, tool_button


class ImagePlace(QFrame):
    """`path` is None until an image is given."""

    changed = Signal()
    look_requested = Signal()

    def __init__(self, kind: str, title: str) -> None:
        super().__init__()
        self.setObjectName(f"place-{kind}")
        self.setAccessibleName(f"{title} of the subject")
        self.setProperty("role", "dropzone")
        self.setAcceptDrops(True)
        self.kind, self.title = kind, title
        self.path: Path | None = None
        self.words = ElidedLabel("", "dim")
        choose = tool_button("folder", f"choose-{kind}", f"Choose the {title}", self.ask)
        self.remove = tool_button("close", f"remove-{kind}", f"Take the {title} away", lambda: self.set_path(None))
        row = QHBoxLayout()
        row.addWidget(label(title, "strong"))
        row.addStretch(1)
        row.addWidget(choose)
        row.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 8)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.words)
        self.set_path(None)

    def set_path(self, path: Path | None) -> None:
        self.path = path
        self.words.setText(path.name if path is not None else f"Drop the {self.title} here")
        self.remove.setVisible(path is not None)
        self.changed.emit()

    def ask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, f"Choose the {self.title}", "", SCAN_FILES)
        if chosen:
            self.set_path(Path(chosen))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if self.path is not None:
            self.look_requested.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._mark(True)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._mark(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._mark(False)
        paths = dropped_paths(event.mimeData().urls())
        if paths:
            event.acceptProposedAction()
            self.set_path(paths[0])

    def _mark(self, over: bool) -> None:
        dress(self, "over", over)


def kind_by_name(path: Path) -> str:
    """Which image a file most likely is.

    >>> kind_by_name(Path("sub-01_trc-FDG_pet.nii.gz")), kind_by_name(Path("sub-01_T1w.nii.gz"))
    ('pet', 'mri')
    """
    words = "".join(c if c.isalnum() else " " for c in path.name.lower()).split()
    return "pet" if {"pet", "fdg", "suvr"} & set(words) else "mri"
