"""What was found in a scan, in plain words with a sign."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.imaging.volume import Finding
from gui.widgets import label, section
from gui.widgets.cards import sign

LEVELS = {"info": "ok", "warning": "warn", "error": "bad"}


class ChecksPanel(QWidget):
    """The findings, worst first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("checks")
        self._rows = QVBoxLayout()
        self._rows.setSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(section("Checks"))
        column.addLayout(self._rows)

    def show_findings(self, findings: Iterable[Finding]) -> None:
        while self._rows.count():
            item = self._rows.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        order = ("error", "warning", "info")
        for finding in sorted(findings, key=lambda finding: order.index(finding.severity)):
            level = LEVELS[finding.severity]
            row = QWidget()
            inside = QHBoxLayout(row)
            inside.setContentsMargins(0, 0, 0, 0)
            inside.setSpacing(6)
            inside.addWidget(sign(level), 0, Qt.AlignmentFlag.AlignTop)
            words = label(finding.message, "dim" if level == "ok" else level, wrap=True)
            inside.addWidget(words, 1)
            row.setAccessibleName(finding.message)
            self._rows.addWidget(row)
