"""What a run would be: each planned value with its reason, and on request what it takes in time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from core import config
from core.control import JobControl
from core.errors import IsocenterError
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.train.engine import Failure
from gui.widgets.cards import notice
from gui.widgets.controls import button
from gui.widgets.labels import label, section

SETTLE_MS = 150
REQUIREMENTS = "Below: where these settings depart from the specification of this system."
NOT_MEASURED = (
    "A trial of a few steps, in a process of its own, tells how long the run takes and how much memory it needs."
)


class PlanPanel(QScrollArea):
    """Plans beside the window whenever the settings or the data change; the trial is a job that can be cancelled."""

    planned = Signal(object)  # the Proposal, or None while there is none

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("plan-panel")
        self.setAccessibleName("Plan")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._context = context
        self._tree: dict[str, Any] = {}
        self._dataset: Any = None
        self._job: Job | None = None
        self._trial: Job | None = None
        self.proposal: Any = None
        self.departures: list[str] | None = None  # from what the system was asked to be; None: nothing was asked
        self.refused = False  # whether the settings and the data do not go together
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._plan)
        body = QWidget()
        body.setProperty("role", "scrolled")
        column = QVBoxLayout(body)
        column.setContentsMargins(32, 24, 32, 24)
        column.setSpacing(8)
        self.title = label("Ready to train", "headline")
        self.summary = label("", "dim", wrap=True)
        self.summary.setObjectName("plan-summary")
        column.addWidget(self.title)
        column.addWidget(self.summary)
        column.addSpacing(16)
        self.plan_title = section("Plan")
        column.addWidget(self.plan_title)
        self._table = QWidget()
        column.addWidget(self._table)
        column.addSpacing(16)
        self.time_title = section("Time and memory")
        column.addWidget(self.time_title)
        self._expected = QVBoxLayout()
        column.addLayout(self._expected)
        row = QHBoxLayout()
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Trial")
        self.message = label("", "dim")
        self.measure_button = button("Measure", "measure-plan", self.measure, tip="Time a few steps of this run")
        self.cancel_button = button("Cancel", "cancel-measure", self.cancel, role="quiet")
        row.addWidget(self.measure_button)
        row.addWidget(self.bar)
        row.addWidget(self.message)
        row.addWidget(self.cancel_button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)
        self._column = column
        self.setWidget(body)
        self._show_expected([(NOT_MEASURED, "")])
        self._show_measuring(None)

    def set(self, tree: Mapping[str, Any], valid: bool, dataset: Any) -> None:
        """Plan these settings for this checked data shortly; nothing is planned from wrong ones."""
        dataset = dataset if valid and dataset is not None and dataset.usable else None
        wanted = {key: value for key, value in tree.items() if key != "name"}
        if wanted == self._tree and dataset is self._dataset:
            return
        self._tree, self._dataset = wanted, dataset
        self.cancel()
        if dataset is None:
            self._settle.stop()
            self._job = None
            self._take(None)
        else:
            self._show_expected([(NOT_MEASURED, "")])  # what was measured is of other settings
            self._settle.start()

    def set_measurable(self, measurable: bool) -> None:
        """A trial beside a training would slow both, and measure neither."""
        self.measure_button.setEnabled(measurable)

    def _plan(self) -> None:
        tree, dataset = self._tree, self._dataset

        def work(_control: JobControl) -> Any:
            experiment = config.parse(tree)
            found = experiment.task.check(experiment)
            departures = None if found is None else [one.text for one in found]
            return experiment.task.propose(experiment, dataset), departures

        def done(found: Any) -> None:
            if self._job is job:
                self._take(*found)

        def failed(error: Exception) -> None:
            if self._job is job:
                self._show_table(notice(_told(error), "bad"))
                self._take(None, refused=True)

        # Not on the window's thread: what the machine has is asked of torch where a GPU may be.
        job = self._context.jobs.run("Planning", work, done=done, failed=failed, kind="background")
        self._job = job

    def _take(self, proposal: Any, departures: list[str] | None = None, *, refused: bool = False) -> None:
        self.proposal, self.departures, self.refused = proposal, departures, refused
        self.title.setText("This cannot be trained yet" if refused else "Ready to train")
        self.plan_title.setText("PLAN" if proposal is not None or refused else "REQUIREMENTS")
        self.measure_button.setVisible(proposal is not None)
        self.summary.setVisible(proposal is not None)
        self.time_title.setVisible(proposal is not None)
        self._show_expected([(NOT_MEASURED, "")] if proposal is not None else [])
        if proposal is not None:
            self.summary.setText(
                f"{self._dataset.summary()}. Planned for {proposal.machine.summary()}; what you set in the form holds. "
                "The curves grow here once the run has started."
            )
            self._show_table(_table(proposal.choices))
        elif departures is not None:
            self.summary.setVisible(True)
            found = self._dataset.summary()
            self.summary.setText(f"{found[:1].upper()}{found[1:]}. {REQUIREMENTS}")
            self._show_table(_listed(departures))
        self.planned.emit(proposal)

    def shut_down(self) -> None:
        """Plan nothing more, and end the trial."""
        self._settle.stop()
        self.cancel()
        self._job = self._trial = None

    # ---- the trial ----------------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Run the trial."""
        if self._trial is not None or self.proposal is None:
            return
        tree, dataset = self._tree, self._dataset

        def work(control: JobControl) -> Any:
            from core.training.estimate import estimate

            experiment = config.parse(tree)
            trial = experiment.task.trial(experiment, dataset)
            return estimate(trial, control, beside_window=True)

        def done(expected: Any) -> None:
            if self._trial is job:
                self._trial = None
                self._show_measuring(None)
                self._show_expected(expected.rows())
                if expected.device == "cpu" and expected.memory > self.proposal.machine.memory:
                    self._expected.addWidget(notice("The run needs more memory than there is.", "warn"))

        def failed(error: Exception) -> None:
            if self._trial is job:
                self._trial = None
                self._show_measuring(None)
                self._show_expected([])
                self._expected.addWidget(notice(_told(error), "bad"))

        job = self._context.jobs.run("Measuring", work, done=done, failed=failed)
        self._trial = job
        job.changed.connect(lambda: self._report(job))
        self._show_measuring(job)

    def cancel(self) -> None:
        """End the trial, if one goes on."""
        if self._trial is not None:
            self._trial.cancel()

    def _report(self, job: Job) -> None:
        if job is not self._trial:
            return
        if job.state == "cancelled":
            self._trial = None
            self._show_measuring(None)
        elif job.running:
            self._show_measuring(job)

    def _show_measuring(self, job: Job | None) -> None:
        self.measure_button.setVisible(job is None)
        for widget in (self.bar, self.message, self.cancel_button):
            widget.setVisible(job is not None)
        if job is not None:
            self.bar.setRange(0, 0 if job.fraction is None else 1000)
            self.bar.setValue(round(1000 * (job.fraction or 0)))
            self.message.setText(job.message or "Starting")

    # ---- what is shown ------------------------------------------------------------------------------------------

    def _show_table(self, table: QWidget) -> None:
        self._column.replaceWidget(self._table, table)
        self._table.hide()
        self._table.deleteLater()
        self._table = table

    def _show_expected(self, rows: list[tuple[str, str]]) -> None:
        while self._expected.count():
            gone = self._expected.takeAt(0).widget()
            gone.hide()  # it is painted until it is deleted
            gone.deleteLater()
        if [text for _, text in rows] == [""]:
            self._expected.addWidget(label(rows[0][0], "dim", wrap=True))
        elif rows:
            grid_of = QWidget()
            grid = _grid(grid_of)
            for row, (name, value) in enumerate(rows):
                grid.addWidget(label(name, "dim"), row, 0)
                figure = label(value, "strong")
                figure.setObjectName(f"expected:{name}")
                grid.addWidget(figure, row, 1)
            self._expected.addWidget(grid_of)


def _listed(departures: list[str]) -> QWidget:
    """Each departure, or that there is none."""
    listed = QWidget()
    listed.setObjectName("plan-departures")
    column = QVBoxLayout(listed)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    if not departures:
        column.addWidget(label("✓ As specified, in every point", "ok", wrap=True))
    for text in departures:
        column.addWidget(notice(text, "info"))
    return listed


def _table(choices: Any) -> QWidget:
    """Name, value and reason of each choice."""
    table = QWidget()
    table.setObjectName("plan-table")
    grid = _grid(table)
    for row, choice in enumerate(choices):
        name, value, why = (
            label(choice.title, "dim"),
            label(shown(choice.text), "strong"),
            label(choice.reason, wrap=True),
        )
        value.setObjectName(f"plan:{choice.key}")
        value.setAccessibleName(f"{choice.title}: {choice.text}")
        if not choice.by_user:
            why.setProperty("role", "dim")
        for place, widget in enumerate((name, value, why)):
            grid.addWidget(widget, row, place, Qt.AlignmentFlag.AlignTop)
    return table


def shown(text: str) -> str:
    """A choice's text with the sign that the form writes between lengths.

    >>> shown("32 x 48 x 32")
    '32 × 48 × 32'
    """
    return text.replace(" x ", " × ")


def _grid(widget: QWidget) -> QGridLayout:
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(8)
    grid.setColumnMinimumWidth(0, 120)
    grid.setColumnStretch(2, 1)
    return grid


def _told(error: Exception) -> str:
    if isinstance(error, IsocenterError):
        failure = Failure.of(error)
        return " ".join(filter(None, [f"{failure.what}.", failure.mend]))
    return f"The run cannot be planned ({error})."
