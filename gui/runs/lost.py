"""Says that there are run folders which the catalog does not know, and takes them in again."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFrame, QHBoxLayout

from core.control import JobControl
from core.training.recovery import Recovery, recover
from gui.context import AppContext
from gui.widgets.cards import sign
from gui.widgets.controls import button, tool_button
from gui.widgets.labels import label


class LostBar(QFrame):
    """Shown while there are such folders, until it is closed."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self._closed = False
        self.setProperty("role", "notice")
        self.setProperty("level", "warn")
        self.setObjectName("lost-runs")
        self._text = label("", wrap=True)
        self.take = button("Take them in", "take-in-runs", self._take_in, tip="Their settings and checkpoints")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(sign("warn"))
        row.addWidget(self._text, 1)
        row.addWidget(self.take)
        row.addWidget(tool_button("close", "lost-runs-close", "Close this notice", self._close))
        self.hide()

    def show_lost(self, folders: list[Path]) -> None:
        """These folders are not in the catalog."""
        what = "1 run folder is" if len(folders) == 1 else f"{len(folders)} run folders are"
        self.take.setText("Take it in" if len(folders) == 1 else "Take them in")
        told = "Settings and checkpoints can be taken in; the curves are lost."
        self._text.setText(f"{what} not in the catalog. {told}")
        self.setAccessibleName(self._text.text())
        self.setVisible(bool(folders) and not self._closed)

    def _take_in(self) -> None:
        self.take.setEnabled(False)

        def work(control: JobControl) -> Recovery:
            return recover(control=control)

        job = self.context.jobs.run("Taking in runs", work, done=self._taken)
        job.ended.connect(lambda: self.take.setEnabled(True))

    def _taken(self, found: Recovery) -> None:
        if found.left:
            folder, why = found.left[0]
            self.context.notice.emit("warn", f"{len(found.left)} could not be taken in. {folder.name}: {why}")
            self._close()
        elif found.taken:
            count = len(found.taken)
            told = "1 run was taken in again." if count == 1 else f"{count} runs were taken in again."
            self.context.notice.emit("ok", told)
        self.context.runs_changed.emit()

    def _close(self) -> None:
        self._closed = True
        self.hide()
