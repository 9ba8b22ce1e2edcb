"""The bar over the Train page: which run is shown, its state, and what can be asked of it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout

from core.catalog import CheckpointRow, RunRow
from gui.train.history import duration_text
from gui.train.states import RESUMABLE, StatePill, silent
from gui.widgets.controls import button
from gui.widgets.labels import ElidedLabel, label


class RunHeader(QFrame):
    """Name, state and the buttons that this state allows."""

    pause_requested = Signal()
    go_on_requested = Signal()
    stop_requested = Signal()
    discard_requested = Signal()
    resume_requested = Signal()
    publish_requested = Signal()
    settings_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setFixedHeight(46)
        self.name = ElidedLabel("Train", "title")
        self.name.setObjectName("run-name")
        self.pill = StatePill()
        self.note = label("", "dim")
        self.note.setObjectName("run-note")
        self.settings = button("Use these settings", "use-settings", self.settings_requested.emit, role="quiet")
        self.settings.setToolTip("Put this run's settings in the form")
        self.pause = button("Pause", "pause", self.pause_requested.emit)
        self.go_on = button("Go on", "go-on", self.go_on_requested.emit)
        self.stop = button("Stop and keep", "stop", self.stop_requested.emit)
        self.discard = button("Discard", "discard", self.discard_requested.emit, role="danger")
        self.resume = button("Resume", "resume", self.resume_requested.emit)
        self.publish = button("Publish", "publish", self.publish_requested.emit, role="primary")
        self.stop.setToolTip("End the run before its next step; the best and the last checkpoint stay")
        self.discard.setToolTip("End the run and remove all of it")
        self.publish.setToolTip("Make a model package of the best checkpoint, for the Predict panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(8)
        self.name.setSizePolicy(self.name.sizePolicy().Policy.Maximum, self.name.sizePolicy().verticalPolicy())
        row.addWidget(self.name)
        row.addSpacing(4)
        row.addWidget(self.pill)
        row.addWidget(self.note)
        row.addStretch(1)
        self.buttons = (self.settings, self.pause, self.go_on, self.stop, self.discard, self.resume, self.publish)
        for one in self.buttons:
            row.addWidget(one)
        self.show_none()

    def move_to_window_bar(self) -> None:
        """Become a part of the window's own bar, which names the page already."""
        self.setProperty("role", "")
        self.layout().setContentsMargins(0, 0, 0, 0)

    def show_none(self, title: str = "") -> None:
        self.name.setText(title)
        self.pill.hide()
        self.note.setText("")
        for one in self.buttons:
            one.hide()

    def show_run(
        self, run: RunRow, checkpoints: list[CheckpointRow], *, busy: bool, asked: str = "", publishing: bool = False
    ) -> None:
        """`busy`: this window trains; `asked`: what was asked of the run and has not happened yet."""
        self.name.setText(run.name)
        self.pill.show()
        self.pill.show_state(run.state)
        quiet = silent(run)
        self.note.setText(asked or (f"not heard of for {duration_text(quiet)}" if quiet else ""))
        live = run.live
        self.settings.show()
        self.pause.setVisible(run.state == "running")
        self.go_on.setVisible(run.state == "paused")
        for one in (self.stop, self.discard):
            one.setVisible(live)
        for one in (self.pause, self.go_on, self.stop, self.discard):
            one.setEnabled(not asked)
        self.resume.setVisible(run.state in RESUMABLE)
        self.resume.setEnabled(not busy)
        self.resume.setToolTip(
            "A run is training in this window; it has to end first" if busy else "Go on from the last checkpoint"
        )
        best = any(row.kind == "best" for row in checkpoints)
        self.publish.setVisible(not live and best)
        if run.state == "stopped" and not best:
            self.note.setText("before its first validation: resume it to have a model")
        self.publish.setEnabled(not publishing)
        self.publish.setText("Publishing…" if publishing else "Publish")
