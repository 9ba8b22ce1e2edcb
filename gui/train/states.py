"""The state of a run as a person reads it: a sign, a word and a colour, never the colour alone."""

from __future__ import annotations

import time

from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from core.catalog import RunRow
from gui.widgets.labels import dress, label

# state -> sign, word, role of the theme
STATES: dict[str, tuple[str, str, str]] = {
    "queued": ("…", "queued", "dim"),
    "running": ("●", "training", "ok"),
    "paused": ("❚❚", "paused", "warn"),
    "finished": ("✓", "finished", "ok"),
    "stopped": ("■", "stopped", "dim"),
    "failed": ("✕", "failed", "bad"),
    "interrupted": ("!", "interrupted", "warn"),
}
RESUMABLE = ("stopped", "interrupted", "failed")
SILENT_SECONDS = 120.0


def silent(run: RunRow) -> float:
    """Seconds a running run has not been heard of; 0 while it is heard."""
    if run.state != "running" or run.heartbeat is None:
        return 0.0
    passed = time.time() - run.heartbeat
    return passed if passed > SILENT_SECONDS else 0.0


class StatePill(QWidget):
    """Sign and word of a state."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("run-state")
        self.sign = QLabel()
        self.word = label("")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.sign)
        row.addWidget(self.word)
        self.state = ""

    def show_state(self, state: str) -> None:
        if state == self.state:
            return
        self.state = state
        sign, word, role = STATES.get(state, ("", state, "dim"))
        self.sign.setText(sign)
        self.word.setText(word)
        self.setAccessibleName(f"State: {word}")
        for part in (self.sign, self.word):
            dress(part, "role", role)
