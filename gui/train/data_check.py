"""Choosing the folder that is trained on, and what its check found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.control import JobControl
from core.imaging.volume import Finding
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.theme import icons
from gui.train.engine import Failure
from gui.train.fields import PathEditor
from gui.train.form import LABEL_WIDTH
from gui.widgets.cards import notice
from gui.widgets.labels import label

RECENT = "train/recent_folders"
SETTLE_MS = 400
SHOWN_FINDINGS = 6
LEVELS = {"error": "bad", "warning": "warn", "info": "info"}


class FolderEditor(PathEditor):
    """The data folder: typed, chosen, dropped, or one of the last."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(optional=True, placeholder="drop a folder here", folder=True)
        self._settings = context.settings
        self.setAcceptDrops(True)
        self.line.setAcceptDrops(False)  # else the line would take a dropped folder as text
        menu = QMenu(self.button)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.button.setMenu(menu)
        self.button.setText("")
        icons.bind(self.button, "folder")
        self.button.setProperty("role", "menu")
        self.button.setFixedWidth(36)
        self.button.setStyleSheet(
            "QPushButton { padding: 4px; } QPushButton::menu-indicator { image: none; width: 0; }"
        )

    def set_value(self, value: Any) -> None:
        super().set_value(value)
        self.line.setToolTip(self.line.text() or self.line.accessibleDescription())

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        menu.addAction("Choose a folder…", self.ask)
        recent = self.recent()
        if recent:
            menu.addSeparator()
        for folder in recent:
            menu.addAction(folder.replace("&", "&&"), lambda f=folder: self.choose(Path(f)))

    def recent(self) -> list[str]:
        stored = self._settings.value(RECENT, [])
        return [stored] if isinstance(stored, str) else [str(folder) for folder in stored or []]

    def remember(self, folder: str) -> None:
        self._settings.setValue(RECENT, [folder, *(f for f in self.recent() if f != folder)][:8])

    def choose(self, folder: Path) -> None:
        self.set_value(str(folder))
        self.changed.emit()

    def ask(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose the folder of images and labels", self.line.text())
        if chosen:
            self.choose(Path(chosen))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        folder = _dropped_folder(event)
        if folder is not None:
            self.choose(folder)
            event.acceptProposedAction()


class DataCheck(QWidget):
    """Checks the folder as a job and says in plain words what was found, worst first."""

    changed = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("data-check")
        self._context = context
        self.path = ""
        self.dataset: Any = None  # core.data.dataset.Dataset once checked
        self.failure: Failure | None = None
        self._job: Job | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.check)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._body = QWidget()
        self._column.addWidget(self._body)
        self.hide()

    @property
    def checking(self) -> bool:
        return self._job is not None or self._settle.isActive()

    def set_path(self, path: str) -> None:
        """Check this folder shortly, unless it is the one shown."""
        if path == self.path:
            return
        self.path = path
        self._cancel()
        self.dataset = self.failure = None
        self._show(None)
        self._settle.start() if path else self._settle.stop()
        self.changed.emit()

    def blocker(self) -> str:
        """Why the data cannot be trained on, in words; empty when it can."""
        if not self.path:
            return "choose the folder of images and labels"
        if self.failure is not None:
            return f"the data cannot be read: {self.failure.what}"
        if self.dataset is None:
            return "the data has not been checked" if not self.checking else "the data is being checked"
        errors = [finding for finding in self.dataset.findings if finding.severity == "error"]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            return f"the data has an error: {errors[0].message.rstrip('.')}{more}"
        return ""

    def check(self) -> None:
        """Check the folder now."""
        self._cancel()
        self._settle.stop()
        path = Path(self.path).expanduser()
        self.dataset = self.failure = None

        def work(control: JobControl) -> Any:
            from core.data.dataset import inspect

            return inspect(path, control)

        job = self._context.jobs.run(f"Checking {path.name}", work, done=self._done, failed=self._failed)
        self._job = job
        job.changed.connect(lambda: self._report(job))
        self._show(self._progress(job))
        self.changed.emit()

    def _cancel(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _report(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "cancelled":
            self._job = None
            again = QPushButton("Check again")
            again.setObjectName("check-again")
            again.setAccessibleName("Check the data again")
            again.clicked.connect(self.check)
            self._show(again)
            self.changed.emit()
            return
        bar, text = self._body.findChild(QProgressBar), self._body.findChild(QWidget, "check-message")
        if bar is not None and job.running:
            bar.setRange(0, 0 if job.fraction is None else 1000)
            bar.setValue(round(1000 * (job.fraction or 0)))
            text.setText(job.message)  # type: ignore[union-attr]

    def _done(self, dataset: Any) -> None:
        self._job, self.dataset = None, dataset
        self._show(self._result(dataset))
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self._job, self.failure = None, Failure.of(error)
        self._show(notice(" ".join(filter(None, [f"{self.failure.what}.", self.failure.mend])), "bad"))
        self.changed.emit()

    # ---- what is shown ------------------------------------------------------------------------------------------

    def _show(self, widget: QWidget | None) -> None:
        self._column.removeWidget(self._body)
        self._body.hide()
        self._body.deleteLater()
        self._body = widget or QWidget()
        self._column.addWidget(self._body)
        self.setVisible(widget is not None)

    def _progress(self, job: Job) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        bar = QProgressBar()
        bar.setRange(0, 0)
        bar.setTextVisible(False)
        row = QHBoxLayout()
        text = label("Checking…", "dim")
        text.setObjectName("check-message")
        cancel = QPushButton("Cancel")
        cancel.setProperty("role", "quiet")
        cancel.setObjectName("cancel-check")
        cancel.setAccessibleName("Cancel the check")
        cancel.clicked.connect(job.cancel)
        row.addWidget(text, 1)
        row.addWidget(cancel)
        column.addWidget(bar)
        column.addLayout(row)
        return body

    def _result(self, dataset: Any) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (name, text) in enumerate(facts(dataset)):
            grid.addWidget(label(name, "dim"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(text, wrap=True), row, 1)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        column.addLayout(grid)
        findings = grouped(dataset.findings)
        if not any(level in ("error", "warning") for level, _ in findings):
            column.addWidget(label("✓ pairs, shapes, labels and geometry checked", "ok", wrap=True))
        for level, text in findings[:SHOWN_FINDINGS]:
            column.addWidget(notice(text, LEVELS[level]))
        if len(findings) > SHOWN_FINDINGS:
            column.addWidget(label(f"and {len(findings) - SHOWN_FINDINGS} more findings", "dim"))
        return body


def facts(dataset: Any) -> list[tuple[str, str]]:
    """What a person wants to know of a data set, as pairs of name and text."""
    known = list(dataset.facts.values())
    rows = [("Cases", f"{len(dataset.cases)} · {dataset.layout}")]
    if dataset.labels:
        rows.append(("Labels", ", ".join(f"{one.name} ({one.value})" for one in dataset.labels[:8])))
    if known:
        rows.append(("Shapes", _span([fact.shape for fact in known], "{:.0f}")))
        rows.append(("Spacing", _span([fact.spacing_mm for fact in known], "{:.3g}") + " mm"))
    return rows


def grouped(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Findings as severity and sentence, those of one kind told once with a count."""
    counts = Counter((finding.severity, finding.code) for finding in findings)
    told: set[tuple[str, str]] = set()
    rows = []
    for finding in findings:
        kind = (finding.severity, finding.code)
        if kind not in told:
            told.add(kind)
            more = counts[kind] - 1
            rows.append((finding.severity, finding.message + (f" {more} more of this kind." if more else "")))
    return rows


def _span(values: list[tuple[float, ...]], form: str) -> str:
    low, high = np.min(values, axis=0), np.max(values, axis=0)
    texts = [" × ".join(form.format(n) for n in edge) for edge in (low, high)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"


def _dropped_folder(event: Any) -> Path | None:
    urls = event.mimeData().urls()
    path = Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
    return path if path is not None and path.is_dir() else None
