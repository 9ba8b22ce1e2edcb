"""A cross-validation of outcomes beside simple methods on the same folds: figures with intervals, paired tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.catalog import Catalog
from core.catalog.groups import group, runs_of, state_of
from core.control import JobControl
from core.errors import ConfigError
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.metric_names import metric_name
from gui.predict.status import ProgressCard
from gui.review.reporting import ask_report, save_folds_report
from gui.runs.folds import figures_table, fill_table
from gui.train.states import STATES
from gui.widgets import button, label
from gui.widgets.labels import ElidedLabel

ALL = "all"  # the simple methods that a task is usually compared with
SHOWN = ("auroc", "auprc", "loss", "brier", "accuracy", "r2", "mae", "pearson")
MOST_COLUMNS = 4
HONEST = "Each case is judged by the run that did not see it; the simple methods are fitted to the same folds."


def measure(group_id: str, control: JobControl) -> dict[str, Any]:
    """The answer of the task's kind for a group. Raises ConfigError where the task has no such thing."""
    from core.inference.kinds import kind_of

    with Catalog() as catalog:
        row = group(catalog, group_id)
        runs = runs_of(catalog, row.id)
    kind = next((kind_of(run.task) for run in runs.values()), None)
    if kind is None:
        raise ConfigError("no fold was begun yet", where=row.name, mend="Go on with the cross-validation.")
    return kind.folds(row, against=[ALL], control=control)


def has_methods(task: str) -> bool:
    """Whether a task's cross-validations are measured by its own kind; those of scans have their panel."""
    from core.inference.kinds import kind_of

    return kind_of(task) is not None


class MethodsPanel(QWidget):
    """Shows one group at a time; what was measured is kept until the window closes."""

    resume_requested = Signal(str, str)  # group id, name
    publish_requested = Signal(str, str)

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("methods-panel")
        self._context = context
        self.group_id = ""
        self._name = ""
        self._shown: tuple[str, tuple[Any, ...]] = ("", ())
        self._known: dict[str, dict[str, Any]] = {}
        self._job: Job | None = None
        self.title = ElidedLabel("", "strong")
        self.measure = button("Measure and compare", "measure-methods", self._measure, role="primary")
        self.measure.setToolTip("Judge each fold by its run, and fit simple methods to the same folds")
        self.resume = button("Go on", "resume-methods", lambda: self.resume_requested.emit(self.group_id, self._name))
        self.resume.setToolTip("Train the folds that are not finished")
        self.publish = button(
            "Publish the ensemble", "publish-methods", lambda: self.publish_requested.emit(self.group_id, self._name)
        )
        self.publish.setToolTip("One model that averages the folds' networks, calibrated out of fold")
        self.report = button("Report…", "report-methods", self._ask_report, tip="Save a report as one HTML file")
        self.progress = ProgressCard("methods-progress")
        self.progress.cancel_requested.connect(lambda: self._job is not None and self._job.cancel())
        self.table = figures_table("methods-table", "Methods on the same folds")
        self.note = label("", "dim", wrap=True)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.title, 1)
        for widget in (self.report, self.measure, self.resume, self.publish):
            top.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.progress)
        column.addWidget(self.table, 1)
        column.addWidget(self.note)
        self._fill()

    def show_group(self, group_id: str, known: tuple[Any, ...] = ()) -> None:
        """Show a group and how far it is; `known` is what that depends on, so that the same is not read again."""
        if (group_id, known) == self._shown:
            return
        self._shown = group_id, known
        catalog = self._context.catalog()
        row = group(catalog, group_id)
        runs = runs_of(catalog, row.id)
        state = state_of(row.size, runs)
        finished = sum(run.state == "finished" for run in runs.values())
        sign, word, _ = STATES[state]
        going = "" if state == "finished" else f"{sign} {word}, "
        self.group_id, self._name = row.id, row.name
        self.title.setText(f"{row.name}: {going}{finished} of {row.size} folds finished")
        self.measure.setEnabled(finished > 0 and self._job is None)
        self.resume.setVisible(state in ("stopped", "failed", "interrupted"))
        self.publish.setEnabled(finished > 1)
        self._fill()

    def _measure(self) -> None:
        group_id = self.group_id

        def done(found: dict[str, Any]) -> None:
            self._known[group_id] = found
            self._fill()

        def ended() -> None:
            self._job = None
            self.measure.setEnabled(True)
            self._fill()

        self._job = job = self._context.jobs.run(
            f"Measuring {self._name}", lambda control: measure(group_id, control), done=done
        )
        job.changed.connect(lambda: self._job is not None and self.progress.show_job(self._job))
        job.ended.connect(ended)
        self.measure.setEnabled(False)
        self._fill()

    def _ask_report(self) -> None:
        if self.group_id in self._known and (target := ask_report(self._name, self)) is not None:
            self.save_report(target)

    def save_report(self, target: Path) -> None:
        """Write what was measured as a report, and open it."""
        save_folds_report(self._context, self._name, self._known[self.group_id], target)

    def _fill(self) -> None:
        found = self._known.get(self.group_id)
        self.progress.setVisible(self._job is not None)
        self.table.setVisible(found is not None)
        self.report.setVisible(found is not None)
        if found is None:
            self.note.setText("" if self._job is not None else f"Not measured yet. {HONEST}")
            return
        missing = "".join(f" Fold {fold}: {state}." for fold, state in found["missing"].items())
        self.note.setText(" ".join([HONEST + missing, *found.get("remarks", ())]))
        head, lines = table_of(found)
        fill_table(self.table, head, lines, slice(0, 1))


def table_of(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The head and the lines: this model first, then each method with its difference from it and the test's p.

    >>> own = {"name": "mine", "metrics": {"oof/auroc": 0.9}, "intervals": {"oof/auroc": [0.8, 0.95]}}
    >>> p = {"difference": 0.1, "interval": [0.02, 0.2], "p": 0.01}
    >>> other = {"name": "x", "title": "X", "metrics": {"oof/auroc": 0.8}, "intervals": {}, "comparison": {"auroc": p}}
    >>> table_of({**own, "against": [other]})[1]
    [['mine', '0.900 (0.800–0.950)', '', ''], ['X', '0.800', '-0.100 (-0.200 to -0.020)', '0.010']]
    """
    keys = [f"oof/{name}" for name in SHOWN if f"oof/{name}" in found["metrics"]][:MOST_COLUMNS]
    main = keys[0].removeprefix("oof/") if keys else ""
    lines = [[str(found["name"]), *(_figure(found, key) for key in keys), "", ""]]
    for other in found["against"]:
        paired = (other.get("comparison") or {}).get(main)
        told = ["", ""]
        if paired:
            # What was measured is this model less the other; the line is about the other.
            low, high = (-edge for edge in reversed(paired["interval"]))
            told = [f"{-paired['difference']:+.3f} ({low:+.3f} to {high:+.3f})", f"{paired['p']:.3f}"]
        lines.append([str(other.get("title", other["name"])), *(_figure(other, key) for key in keys), *told])
    head = ["Method", *(metric_name(key.removeprefix("oof/")) for key in keys), f"{metric_name(main)}, difference", "p"]
    return head, lines


def _figure(told: Mapping[str, Any], key: str) -> str:
    value, between = told["metrics"].get(key), told["intervals"].get(key)
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" ({between[0]:.3f}–{between[1]:.3f})" if between else "")
