"""Asking for a cross-validation: how many folds, and what is kept out of all of them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QFormLayout, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from gui.widgets import button, label

WIDTH = 460
WHAT = (
    "One run for each fold: it is trained on all other folds, and its own cases show how well it does. Together they "
    "measure every case once, and can be published as one model that averages them."
)


class CrossValidateDialog(QDialog):
    """Folds and held-out share, with what they mean for the cases at hand."""

    start_requested = Signal(int, float)  # folds, share held out

    def __init__(self, cases: int, held_out: float, minutes: float, parent: QWidget | None = None) -> None:
        """cases: in the data set. held_out: the form's test share. minutes: a run's time limit; 0: none."""
        super().__init__(parent)
        self.setObjectName("cross-validate-dialog")
        self.setWindowTitle("Cross-validate")
        self._cases, self._minutes = cases, minutes
        self.folds = QSpinBox()
        self.folds.setObjectName("folds")
        self.folds.setAccessibleName("Folds")
        self.folds.setRange(2, max(min(cases, 20), 2))
        self.folds.setValue(min(5, max(cases, 2)))
        self.held_out = QDoubleSpinBox()
        self.held_out.setObjectName("held-out")
        self.held_out.setAccessibleName("Share of the cases that no fold touches")
        self.held_out.setRange(0.0, 0.9)
        self.held_out.setSingleStep(0.05)
        self.held_out.setValue(held_out)
        self.told = label("", "dim", wrap=True)
        self.told.setObjectName("folds-told")
        self.start = button("Start", "start-folds", self._start, role="primary")
        for field in (self.folds, self.held_out):
            field.valueChanged.connect(self._tell)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.addRow(label("Folds"), self.folds)
        form.addRow(label("Held-out share"), self.held_out)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(button("Cancel", "cancel-folds", self.reject))
        buttons.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(label(WHAT, wrap=True))
        column.addLayout(form)
        column.addWidget(self.told)
        column.addSpacing(4)
        column.addLayout(buttons)
        self._tell()
        self.resize(WIDTH, column.heightForWidth(WIDTH))

    def _tell(self) -> None:
        count, share = self.folds.value(), self.held_out.value()
        test = max(round(self._cases * share), 1) if share > 0 else 0
        rest = self._cases - test
        kept = f"{test} cases are kept for the test of the published model. " if test else ""
        time = f" Up to {count * self._minutes:g} minutes of training." if self._minutes else ""
        enough = rest >= count
        self.told.setText(
            f"{kept}{count} runs, each with about {round(rest / count)} of {rest} cases for validation.{time}"
            if enough
            else f"{rest} cases are too few for {count} folds."
        )
        self.start.setEnabled(enough)

    def _start(self) -> None:
        self.accept()
        self.start_requested.emit(self.folds.value(), self.held_out.value())
