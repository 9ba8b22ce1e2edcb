"""What the Scans page shows while nothing is open: where to drop, what to press, what was open before."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core import RESEARCH_ONLY
from core.imaging.titles import file_title
from gui.context import AppContext
from gui.scans.recent import RecentScan, forget_all, recent
from gui.theme import drawing, theme
from gui.widgets import ElidedLabel, button, dress, label, line, section


class WelcomePage(QWidget):
    """Makes no choice itself: asks the window to open things."""

    sample_requested = Signal()
    files_requested = Signal()
    folder_requested = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "page")
        self._context = context
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.zone = self._make_zone()
        self._recent = QWidget()
        self._recent_rows = QGridLayout(self._recent)
        self._recent_rows.setContentsMargins(0, 0, 0, 0)
        self._recent_rows.setVerticalSpacing(0)
        self._recent_rows.setColumnStretch(0, 3)
        self._recent_rows.setColumnStretch(1, 3)

        middle = QWidget()
        middle.setMaximumWidth(640)
        inside = QVBoxLayout(middle)
        inside.setSpacing(20)
        inside.addStretch(2)
        inside.addWidget(self.zone)
        inside.addWidget(self._recent)
        inside.addStretch(3)
        research = label(RESEARCH_ONLY, "small")
        research.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        inside.addWidget(research)
        row = QHBoxLayout(self)
        row.addStretch(1)
        row.addWidget(middle, 8)
        row.addStretch(1)
        theme().changed.connect(self._draw)
        self._draw()
        self.refresh()

    def _make_zone(self) -> QFrame:
        zone = QFrame()
        zone.setProperty("role", "dropzone")
        zone.setMinimumHeight(280)
        column = QVBoxLayout(zone)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(self._picture)
        column.addSpacing(12)
        for text, role in (
            ("Drop a scan here", "headline"),
            ("A NIfTI, NRRD or MetaImage file, or a DICOM folder; several at once", "dim"),
            ("A table and patients' stays open on their own pages", "dim"),
        ):
            words = label(text, role)
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(words)
        column.addSpacing(12)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(button("Open the sample", "open-sample", self.sample_requested.emit, role="primary"))
        row.addWidget(button("Choose files…", "choose-files", self.files_requested.emit))
        row.addWidget(button("Choose a folder…", "choose-folder", self.folder_requested.emit))
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)
        return zone

    def _draw(self) -> None:
        self._picture.setPixmap(drawing.pixmap("isocenter", theme().tokens.accent, 56, self.devicePixelRatioF()))

    def set_drag_over(self, over: bool) -> None:
        """Light up while something is dragged over the window."""
        dress(self.zone, "over", over)

    def refresh(self) -> None:
        """Show the recent scans as they are now."""
        while self._recent_rows.count():
            item = self._recent_rows.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        scans = recent(self._context.settings)
        self._recent.setVisible(bool(scans))
        if not scans:
            return
        clear = button("Clear", "clear-recent", self._clear, role="link", tip="Forget the recent scans")
        self._recent_rows.addWidget(section("Recent"), 0, 0)
        self._recent_rows.addWidget(clear, 0, 2, Qt.AlignmentFlag.AlignRight)
        for place, scan in enumerate(scans):
            self._add_row(2 * place + 1, place, scan)

    def _add_row(self, row: int, place: int, scan: RecentScan) -> None:
        title = file_title(scan.path)
        name = button(title, f"recent-{place}", lambda: self._open(scan), role="quiet")
        name.setText(name.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, 240))
        name.setToolTip(str(scan.path))
        name.setStyleSheet("text-align: left;")
        name.setCursor(Qt.CursorShape.PointingHandCursor)
        self._recent_rows.addWidget(name, row, 0)
        self._recent_rows.addWidget(ElidedLabel(scan.text, "dim", mode=Qt.TextElideMode.ElideRight), row, 1)
        self._recent_rows.addWidget(label(scan.when, "dim"), row, 2, Qt.AlignmentFlag.AlignRight)
        self._recent_rows.addWidget(line(), row + 1, 0, 1, 3)

    def _open(self, scan: RecentScan) -> None:
        if scan.series:
            self._context.series_requested.emit(scan.path, scan.series)
        else:
            self._context.open_requested.emit([scan.path])

    def _clear(self) -> None:
        forget_all(self._context.settings)
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._draw()
