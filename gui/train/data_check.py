"""What the check of the data that is to be trained on found: asked of the task, whatever kind of data it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core import config, registry
from core.control import JobControl
from core.imaging.volume import Finding
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.train.data_kinds import KINDS, DataKind
from gui.train.engine import Failure
from gui.train.field_row import LABEL_WIDTH
from gui.widgets.cards import notice
from gui.widgets.labels import label

SETTLE_MS = 400
SHOWN_FINDINGS = 6
LEVELS = {"error": "bad", "warning": "warn", "info": "info"}


class DataCheck(QWidget):
    """Checks the data as a job and says in plain words what was found, worst first."""

    changed = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("data-check")
        self._context = context
        self.path = ""
        self.kind: DataKind = KINDS["scans"]
        self.dataset: Any = None  # core.tasks.base.CheckedData once checked
        self._asked: dict[str, Any] | None = None  # what the check depends on, with the task's name
        self._tree: dict[str, Any] = {}
        self._wrong = ""  # why it cannot be checked with these settings
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

    def set_tree(self, tree: Mapping[str, Any], problems: Mapping[str, str]) -> None:
        """Check the data of these settings shortly, unless it is what is shown already."""
        task = registry.parts("task").get(config.task_of(tree))
        if task is None:
            return
        kind: Any = task
        wanted = {key: _at(tree, key) for key in kind.inspected}
        asked = {"task.name": config.task_of(tree), "data.path": _at(tree, "data.path"), **wanted}
        if asked == self._asked:
            return
        self._asked, self.kind = asked, KINDS[kind.data_kind]
        path = asked["data.path"]
        self.path = path if isinstance(path, str) else ""
        blocks = {key.partition(".")[0] for key in wanted}
        wrong = (f"{key} {text}" for key, text in problems.items() if key.partition(".")[0] in blocks)
        self._wrong = next(wrong, "")
        self._cancel()
        self.dataset = self.failure = None
        self._show(None)
        self._settle.start() if self.path and not self._wrong else self._settle.stop()
        self._tree = {key: value for key, value in tree.items() if key in {"task", "data", *blocks}}
        self.changed.emit()

    def blocker(self) -> str:
        """Why the data cannot be trained on, in words; empty when it can."""
        if not self.path:
            return f"choose {self.kind.what}"
        if self._wrong:
            return self._wrong
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
        """Check the data now."""
        self._cancel()
        self._settle.stop()
        tree = self._tree
        self.dataset = self.failure = None

        def work(control: JobControl) -> Any:
            experiment = config.parse(tree)
            return experiment.task.inspect(experiment, control)

        job = self._context.jobs.run(f"Checking {Path(self.path).name}", work, done=self._done, failed=self._failed)
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
        for row, (name, text) in enumerate(described(dataset)):
            grid.addWidget(label(name, "dim"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(text, wrap=True), row, 1)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        column.addLayout(grid)
        findings = grouped(dataset.findings)
        if not any(level in ("error", "warning") for level, _ in findings):
            column.addWidget(label("✓ Checked: nothing wrong was found", "ok", wrap=True))
        for level, text in findings[:SHOWN_FINDINGS]:
            column.addWidget(notice(text, LEVELS[level]))
        if len(findings) > SHOWN_FINDINGS:
            column.addWidget(label(f"and {len(findings) - SHOWN_FINDINGS} more findings", "dim"))
        return body


def described(dataset: Any) -> list[tuple[str, str]]:
    """What there is to know of checked data, as pairs of name and text; its one line where it has no more."""
    told = getattr(dataset, "described", None)
    return told() if told is not None else [("Data", dataset.summary())]


def count_of(dataset: Any) -> int:
    """How many cases checked data has: rows of a table, subjects, scans."""
    return next(len(getattr(dataset, name)) for name in ("rows", "cases", "subjects") if hasattr(dataset, name))


def grouped(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Findings as severity and sentence, those of one kind told once with a count."""
    findings = list(findings)
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


def _at(tree: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    node: Any = tree
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node
