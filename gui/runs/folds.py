"""A cross-validation's results: each fold and structure, mean and spread, beside another one on the same folds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.catalog import Catalog
from core.catalog.groups import GroupRow, group, groups, runs_of, state_of
from core.control import JobControl
from gui.context import AppContext
from gui.theme import theme
from gui.train.states import STATES
from gui.widgets import button, label
from gui.widgets.labels import ElidedLabel

METRIC = "dice"
HONEST = (
    "Each case is measured by the run that did not see it, with that run's last checkpoint, on the scan's own grid."
)


@dataclass(frozen=True)
class Results:
    """What the panel shows of a group: its figures as far as they were measured, and what it is compared with."""

    row: GroupRow
    state: str
    finished: int
    others: list[GroupRow]  # on the same folds
    found: Any = None  # core.inference.out_of_fold.OutOfFold
    other: Any = None
    comparison: dict[str, Any] | None = None


def look(group_id: str, against: str, measuring: bool, control: JobControl) -> Results:
    """Read a group's results; `measuring`: predict what was not measured yet. Against: a group, a baseline or ""."""
    from core.inference import out_of_fold
    from core.inference.baselines import baselines

    with Catalog() as catalog:
        row = group(catalog, group_id)
        runs = runs_of(catalog, row.id)
        others = [one for one in groups(catalog) if one.fingerprint == row.fingerprint and one.id != row.id]
        found = out_of_fold.kept(catalog, row)
    finished = sum(run.state == "finished" for run in runs.values())
    if found is None and measuring and finished:
        found = out_of_fold.measure(row.id, control)
    other = None
    if found is not None and against:
        if against in baselines():
            other = out_of_fold.measure_baseline(against, found, control)
        else:
            other = out_of_fold.measure(against, control)
    comparison = out_of_fold.compare(found, other, METRIC) if other is not None else None
    return Results(row, state_of(row.size, runs), finished, others, found, other, comparison)


class FoldsPanel(QWidget):
    """Shows one group at a time; `resume_requested` and `publish_requested` are for the page to carry out."""

    resume_requested = Signal(str, str)  # group id, name
    publish_requested = Signal(str, str)

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("folds-panel")
        self._context = context
        self.group_id = ""
        self._known: tuple[Any, ...] = ()
        self.results: Results | None = None
        self._asked = 0
        self.title = ElidedLabel("", "strong")
        self.title.setObjectName("folds-title")
        self.against = QComboBox()
        self.against.setObjectName("folds-against")
        self.against.setAccessibleName("Compare with")
        self.against.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.against.activated.connect(lambda: self._ask(measuring=True))
        self.measure = button("Measure", "measure-folds", lambda: self._ask(measuring=True), role="primary")
        self.measure.setToolTip("Predict each fold's own cases with its run, and compare them with the truth")
        self.resume = button("Go on", "resume-folds", lambda: self._request(self.resume_requested))
        self.resume.setToolTip("Train the folds that are not finished")
        self.publish = button("Publish the ensemble", "publish-folds", lambda: self._request(self.publish_requested))
        self.publish.setToolTip("One model that averages the folds' networks: as many times slower as there are folds")
        self.table = figures_table("folds-table", "Dice by fold and structure")
        self.differences = figures_table("folds-differences", "Paired differences")
        self.difference_title = label("", "dim", wrap=True)
        self.note = label("", "dim", wrap=True)
        self.note.setObjectName("folds-note")
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.title, 1)
        for widget in (label("Compare with", "dim"), self.against, self.measure, self.resume, self.publish):
            top.addWidget(widget)
        self._right = QWidget()
        right = QVBoxLayout(self._right)
        right.setContentsMargins(0, 0, 0, 0)
        right.addWidget(self.difference_title)
        right.addWidget(self.differences, 1)
        across = QHBoxLayout()
        across.setSpacing(24)
        across.addWidget(self.table, 5)
        across.addWidget(self._right, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(across, 1)
        column.addWidget(self.note)
        self._right.hide()

    def show_group(self, group_id: str, known: tuple[Any, ...] = ()) -> None:
        """Show a group; `known` is what it depends on (its runs' states), so that the same is not read again."""
        if (group_id, known) == (self.group_id, self._known):
            return
        if group_id != self.group_id:
            self.against.clear()
            self.results = None
            self._fill()
        self.group_id, self._known = group_id, known
        self._ask(measuring=False)

    def _request(self, signal: Any) -> None:
        if self.results is not None:
            signal.emit(self.results.row.id, self.results.row.name)

    def _ask(self, *, measuring: bool) -> None:
        self._asked += 1
        against = str(self.against.currentData() or "") if measuring else ""
        if measuring:
            self.measure.setEnabled(False)
            self.measure.setText("Measuring…")
        name = self.results.row.name if self.results else "the cross-validation"
        self._context.jobs.run(
            f"Measuring {name}" if measuring else "Reading the cross-validation",
            partial(look, self.group_id, against, measuring),
            done=partial(self._take, self._asked),
            failed=partial(self._failed, self._asked),
            kind="" if measuring else "background",
        ).ended.connect(self._settle)

    def _take(self, asked: int, results: Results) -> None:
        if asked == self._asked:
            self.results = results
            self._fill()

    def _failed(self, asked: int, error: Exception) -> None:
        if asked == self._asked:
            self._context.tell(error)

    def _settle(self) -> None:
        self.measure.setText("Measure")
        self._fill()

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        results = self.results
        for widget in (self.measure, self.resume, self.publish, self.against):
            widget.setEnabled(results is not None)
        if results is None:
            self.title.setText("")
            self.note.setText("Reading the cross-validation…")
            self.table.setRowCount(0)
            self._right.hide()
            return
        row, found = results.row, results.found
        held_out = f" · {len(row.test)} cases kept for the test" if row.test else ""
        sign, word, _ = STATES[results.state]
        going = "" if results.state == "finished" else f"{sign} {word}, "
        self.title.setText(f"{row.name}: {going}{results.finished} of {row.size} folds finished{held_out}")
        self.measure.setVisible(found is None)
        self.measure.setEnabled(results.finished > 0)
        self.resume.setVisible(results.state in ("stopped", "failed", "interrupted"))
        self.publish.setEnabled(results.finished > 1)
        self._offer(results.others)
        self.against.setEnabled(found is not None)
        if found is None:
            self.table.setRowCount(0)
            self.note.setText(
                "Not measured yet. Measure predicts each finished fold's own cases."
                if results.finished
                else "No fold is finished yet; figures come with the first."
            )
        else:
            self._fill_table(found)
            missing = "".join(f" Fold {fold}: {state}." for fold, state in found.missing.items())
            self.note.setText(HONEST + missing)
        self._right.setVisible(results.comparison is not None)
        if results.comparison is not None:
            self._fill_differences(results.comparison, found, results.other)

    def _offer(self, others: list[GroupRow]) -> None:
        """The list of what can be compared: only what was trained on the same folds."""
        from core.inference.baselines import baselines

        entries = [("nothing", ""), *((f"Baseline {one.name}", one.name) for one in baselines().values())]
        entries += [(f"{one.name} ({one.id[:15]})", one.id) for one in others]
        tips = {one.name: one.title for one in baselines().values()}
        if [self.against.itemData(n) for n in range(self.against.count())] == [data for _, data in entries]:
            return
        chosen = self.against.currentData()
        self.against.clear()
        for text, data in entries:
            self.against.addItem(text, data)
            self.against.setItemData(self.against.count() - 1, tips.get(data, data), Qt.ItemDataRole.ToolTipRole)
        self.against.setCurrentIndex(max(self.against.findData(chosen), 0))

    def _fill_table(self, found: Any) -> None:
        figures = found.table(METRIC)
        columns = [*found.structures, "all"]
        lines = [
            [f"Fold {fold}", str(len(found.folds[fold])), *(f"{means[name]:.3f}" for name in columns)]
            for fold, means in figures["folds"].items()
        ]
        for key, title in (("over_folds", "Mean of folds ± SD"), ("over_cases", "Mean of cases ± SD")):
            mean, sd = figures[key]["mean"], figures[key]["sd"]
            cells = [f"{mean[n]:.3f}" + ("" if sd[n] is None else f" ± {sd[n]:.3f}") for n in columns]
            lines.append([title, str(len(found.rows)), *cells])
        missed = figures["missed"]
        lines.append(["Missed", "", *(str(missed[name]) for name in found.structures), str(sum(missed.values()))])
        fill_table(self.table, ["Dice", "Cases", *columns[:-1], "Mean"], lines, strong=slice(len(figures["folds"]), -1))

    def _fill_differences(self, comparison: dict[str, Any], found: Any, other: Any) -> None:
        from core.inference.out_of_fold import p_text

        theirs = other.table(METRIC)["over_cases"]["mean"]
        self.difference_title.setText(f"Minus {comparison['against']}, paired over {comparison['cases']} cases")
        lines = []
        for name in [*found.structures, "all"]:
            one = comparison["differences"][name]
            low, high = one["interval"] or (float("nan"), float("nan"))
            lines.append(
                [
                    "Mean" if name == "all" else name,
                    f"{theirs[name]:.3f}",
                    f"{one['mean']:+.3f}",
                    f"{low:+.3f} to {high:+.3f}",
                    p_text(one["p"]),
                ]
            )
        fill_table(
            self.differences, ["", "Theirs", "Difference", "95 % interval", "Wilcoxon p"], lines, slice(-1, None)
        )


def figures_table(name: str, accessible: str) -> QTableWidget:
    """An empty table of figures."""
    made = QTableWidget()
    made.setTabKeyNavigation(False)
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    made.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setShowGrid(False)
    made.verticalHeader().hide()
    made.verticalHeader().setDefaultSectionSize(28)
    return made


def fill_table(table: QTableWidget, head: list[str], lines: list[list[str]], strong: slice) -> None:
    """Fill a table: the first column says what, figures stand on the right; `strong` lines sum the others up."""
    table.setColumnCount(len(head))
    table.setRowCount(len(lines))
    strongs = range(len(lines))[strong]
    for column, text in enumerate(head):
        item = QTableWidgetItem(text)
        item.setTextAlignment(_side(column))
        table.setHorizontalHeaderItem(column, item)
    for place, line in enumerate(lines):
        for column, text in enumerate(line):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_side(column))
            if place in strongs:
                font = item.font()
                font.setBold(True)
                item.setFont(font)
            elif column == 0:
                item.setForeground(theme().color("dim"))
            table.setItem(place, column, item)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    # A line that sums up is bold, and its figures must not be cut short.
    for column in (0, *(n for n, _ in enumerate(head) if any(" to " in line[n] or "±" in line[n] for line in lines))):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
