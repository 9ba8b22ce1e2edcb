"""One row: what the model says of it, how sure it is, and what speaks for it and against it."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from core.inference.answers import named
from gui.charts.bars import Bar, BarChart
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.tables.predicting import Predicted, contributions_of, explain_row
from gui.tables.reading import OpenedTable, cell_of
from gui.widgets import button, label

MOST = 12


class RowCard(QFrame):
    """Empty until a predicted row is chosen."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setObjectName("row-card")
        self._context = context
        self._job: Job | None = None
        self._shown: tuple[OpenedTable, Predicted, int] | None = None
        self.title = label("", "strong")
        self.figure = label("", "figure")
        self.figure.setObjectName("row-figure")
        self.note = label("", "dim", wrap=True)
        self.note.setObjectName("row-note")
        self.bars = BarChart("row-contributions", "What speaks for the answer, and against it", form="{:+.3f}")
        self.bars.hide()
        self.explain = button("Explain", "explain-row", self.ask, tip="What speaks for this answer, and against it")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.explain)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(6)
        column.addLayout(head)
        for widget in (self.figure, self.note, self.bars):
            column.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        self._stop()
        self._shown = None
        self.hide()

    def show_row(self, opened: OpenedTable, predicted: Predicted, row: int) -> None:
        self._stop()
        self._shown = opened, predicted, row
        self.title.setText(f"Row {row + 1:,}")
        if predicted.probabilities is None:
            self.figure.setText(predicted.answers[0].text(row))
            self.note.setText(predicted.outcome)
        else:
            shares = predicted.probabilities[row]
            # Of two outcomes the second is the event that is asked for; of more, the most probable is told.
            place = 1 if len(shares) == 2 else int(shares.argmax())
            self.figure.setText(f"{shares[place]:.0%}")
            others = [
                f"{name}: {share:.1%}"
                for n, (name, share) in enumerate(zip(predicted.classes, shares, strict=True)) if n != place
            ]  # fmt: skip
            of = named(predicted.outcome, predicted.classes[place])
            more = f"; {', '.join(others)}" if len(others) > 1 else ""  # of two the other one has the rest
            self.note.setText(f"probability of {of}{more}")
        self.setAccessibleName(f"{self.title.text()}: {self.figure.text()} {self.note.text()}")
        self.bars.hide()
        self.explain.setVisible(predicted.model is not None)
        self.explain.setEnabled(True)
        self.show()

    def ask(self) -> None:
        """Explain the row that is shown."""
        if self._shown is None:
            return
        opened, predicted, row = self._shown
        if (model := predicted.model) is None:
            return
        self.explain.setEnabled(False)
        self._job = self._context.jobs.run(
            f"Explaining row {row + 1:,}",
            lambda control: explain_row(model, opened, row, control),
            done=self._explained, failed=self._failed,
        )  # fmt: skip

    def _explained(self, answer: dict[str, Any]) -> None:
        self._job = None
        if self._shown is None:
            return
        opened, _, row = self._shown
        told = contributions_of(answer)
        self.explain.setVisible(not told)
        self.bars.setVisible(bool(told))
        if not told:
            self.note.setText(f"{self.note.text()}\nThis model cannot say what speaks for its answers.".strip())
            return
        columns = opened.table.columns
        bars = [Bar(name, value, cell_of(columns[name], row) if name in columns else "") for name, value in told[:MOST]]
        self.bars.show_bars(bars)
        self.updateGeometry()

    def _failed(self, error: Exception) -> None:
        self._job = None
        self.explain.setEnabled(True)
        self._context.tell(error)

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
