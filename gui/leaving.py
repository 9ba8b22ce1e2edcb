"""What becomes of a training when the window closes: its user is asked."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

STOP, KEEP, CANCEL = "Stop and keep", "Keep training", "Cancel"


def ask_about_training(window: QWidget, *, has_tray: bool) -> str:
    """What to do with a run that is going on while the window closes: STOP, KEEP or CANCEL."""
    box = QMessageBox(window)
    box.setWindowTitle("A model is being trained")
    box.setText("A model is being trained in this window.")
    box.setInformativeText(
        "Stop and keep: it ends after this step, and its best and last checkpoints are kept.\n"
        "Keep training: the window goes out of the way, and the program ends when the training does. "
        + ("The icon in the tray" if has_tray else "The task bar")
        + " brings it back."
    )
    stop = box.addButton(STOP, QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(KEEP, QMessageBox.ButtonRole.AcceptRole)
    box.addButton(CANCEL, QMessageBox.ButtonRole.RejectRole)
    box.exec()
    return {stop: STOP, keep: KEEP}.get(box.clickedButton(), CANCEL)
