"""One job as a line: title, progress, and a cancel that answers at once."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from gui.jobs.jobs import Job, JobRunner
from gui.widgets import ElidedLabel, label, tool_button


class JobLine(QWidget):
    """Shows the newest job that a person started, and how many wait behind it."""

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("job-line")
        self._runner = runner
        self._job: Job | None = None
        self._text = ElidedLabel("", "small", mode=Qt.TextElideMode.ElideRight)
        self._text.setObjectName("job-text")
        self._text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._more = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(120)
        self._bar.setAccessibleName("Progress")
        self._cancel = tool_button("close", "job-cancel", "Cancel this job", self._cancel_job)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget, stretch in ((self._text, 1), (self._bar, 0), (self._cancel, 0), (self._more, 0)):
            row.addWidget(widget, stretch)
        runner.job_added.connect(self._jobs_changed)
        runner.job_ended.connect(self._jobs_changed)
        self._jobs_changed()

    @property
    def job(self) -> Job | None:
        return self._job

    @Slot()
    def _jobs_changed(self, _job: object = None) -> None:
        shown = [job for job in self._runner.jobs if job.kind != "background"]
        newest = shown[-1] if shown else None
        if newest is not self._job:
            if self._job is not None and self._job.running:
                self._job.changed.disconnect(self._show)
            self._job = newest
            if newest is not None:
                newest.changed.connect(self._show)
        self._more.setText(f"+{len(shown) - 1}" if len(shown) > 1 else "")
        self._show()

    @Slot()
    def _show(self) -> None:
        job = self._job
        for widget in (self._text, self._bar, self._cancel, self._more):
            widget.setVisible(job is not None)
        if job is None:
            return
        self._text.setText(f"{job.title}: {job.message}" if job.message else job.title)
        self._bar.setRange(0, 0 if job.fraction is None else 1000)
        if job.fraction is not None:
            self._bar.setValue(round(1000 * job.fraction))

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._job.cancel()
