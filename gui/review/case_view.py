"""One evaluated case in the views: its truth as outlines, the prediction as filled structures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from core.control import JobControl
from core.errors import IsocenterError
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.predict.status import FailureCard
from gui.theme.structures import structure_colours
from gui.viewer.overlays import Overlay
from gui.viewer.scene import OpenedScan, Scene
from gui.viewer.slice_grid import SliceGrid
from gui.widgets import ElidedLabel, EmptyState, button, label, tool_button

if TYPE_CHECKING:
    from core.catalog.evaluations import CaseFiles

FILL = 0.45


class CaseUnreadable(IsocenterError):
    """A case whose files are gone or no longer fit each other."""


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """What the views need of a case. `worst` is the voxel of largest disagreement, None where there is none."""

    scan: OpenedScan
    truth: np.ndarray[Any, Any]
    prediction: np.ndarray[Any, Any] | None
    worst: tuple[int, int, int] | None


def read_case(files: CaseFiles, labels: list[int], control: JobControl) -> OpenedCase:
    """Read a case's files. Raises CaseUnreadable or UnreadableScan."""
    from core.imaging.reader import read
    from core.inference.disagreement import worst_place

    control.progress(None, "Reading the scan")
    scan = read(files.image, control)
    truth = np.rint(read(files.label, control).values()).astype(np.int32)
    truth = np.where(np.isin(truth, labels), truth, 0)  # what the model does not look for is no disagreement
    found = None
    if files.prediction is not None:
        if not files.prediction.is_file():
            raise CaseUnreadable(
                "the kept prediction is gone", where=files.prediction, mend="Evaluate the model again: it is made anew."
            )
        found = np.asarray(read(files.prediction, control).voxels)
    if truth.shape != scan.grid_shape or (found is not None and found.shape != scan.grid_shape):
        raise CaseUnreadable(
            "the scan was changed since: truth or prediction no longer fit", where=files.image, mend="Evaluate again."
        )
    control.check()
    worst = worst_place(truth, np.zeros_like(truth) if found is None else found)
    return OpenedCase(OpenedScan.prepare(scan), truth, found, worst)


class CaseView(QFrame):
    """The views with a bar above them; `show_case` takes the next case."""

    step_requested = Signal(int)  # to the next (1) or previous (-1) case of the table

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("case-view")
        self._context = context
        self._job: Job | None = None
        self.opened: OpenedCase | None = None
        self.scene = Scene()
        self.scene.set_radiological(context.settings.value("viewer/radiological", True, type=bool))
        self.grid = SliceGrid(context, self.scene)
        self.failure = FailureCard("case-failure")
        self._empty = EmptyState(
            "review", "No case chosen", "Choose a case in the table, or a point of the plot, to see it here."
        )
        self._waiting = EmptyState("review", "Reading the case", "")
        failed = QWidget()
        inside = QVBoxLayout(failed)
        inside.setContentsMargins(24, 24, 24, 24)
        inside.addWidget(self.failure)
        inside.addStretch(1)
        self._stack = QStackedWidget()
        for widget in (self._empty, self._waiting, failed, self.grid):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar())
        column.addWidget(self._stack, 1)
        self._show_tools()

    def _bar(self) -> QFrame:
        bar = QFrame()
        bar.setProperty("role", "bar")
        bar.setFixedHeight(44)
        self.title = ElidedLabel("", "strong")
        self.title.setObjectName("case-title")
        self.said = label("", "dim")
        self.truth = QCheckBox("Truth (T)")
        self.truth.setToolTip("Outlined")
        self.truth.setObjectName("case-truth")
        self.truth.setAccessibleName("Show the truth as outlines")
        self.prediction = QCheckBox("Prediction (P)")
        self.prediction.setToolTip("Filled")
        self.prediction.setObjectName("case-prediction")
        self.prediction.setAccessibleName("Show the prediction as filled structures")
        for check in (self.truth, self.prediction):
            check.setChecked(True)
            check.toggled.connect(self._show_layers)
        self.worst = button("Worst place", "case-worst", self.go_to_worst, tip="Slices of largest disagreement (D)")
        self.before = tool_button("chevron-up", "case-before", "Previous case (Shift+N)", partial(self._step, -1))
        self.next = tool_button("chevron-down", "case-next", "Next case (N)", partial(self._step, 1))
        row = QHBoxLayout(bar)
        row.setContentsMargins(16, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(self.title, 1)
        for widget in (self.said, self.truth, self.prediction, self.worst, self.before, self.next):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        return bar

    def _step(self, by: int) -> None:
        self.step_requested.emit(by)

    # ---- the case -----------------------------------------------------------------------------------------------

    def clear(self) -> None:
        self._stop()
        self.opened = None
        self.scene.show(None)
        self.title.setText("")
        self._stack.setCurrentWidget(self._empty)
        self._show_tools()

    def show_case(self, name: str, files: CaseFiles, labels: dict[str, int]) -> None:
        """Read a case as a job and show it where truth and prediction differ most."""
        self._stop()
        self.opened = None
        self.title.setText(name)
        if self._stack.currentWidget() is not self.grid:  # else the case before stays until this one is there
            self._stack.setCurrentWidget(self._waiting)
        self._show_tools()
        self._job = self._context.jobs.run(
            f"Opening {name}", partial(read_case, files, list(labels.values())),
            done=partial(self._shown, labels), failed=self._failed,
        )  # fmt: skip

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _shown(self, labels: dict[str, int], case: OpenedCase) -> None:
        self._job, self.opened = None, case
        structures = [{"label": value, "name": name} for name, value in labels.items()]
        colours = {value: colour.getRgb()[:3] for value, colour in structure_colours(structures).items()}
        self.scene.show(case.scan)
        if case.prediction is not None:
            self.scene.set_overlay(Overlay(case.prediction, structures, colours, "Prediction", FILL))
        self.scene.set_truth(Overlay(case.truth, structures, colours, "Truth"))
        self._show_layers()
        self._stack.setCurrentWidget(self.grid)
        self._show_tools()
        if not self.go_to_worst():
            self.scene.go_to_overlay()

    def _failed(self, error: Exception) -> None:
        self._job = None
        self.failure.show_error(error)
        self._stack.setCurrentIndex(2)
        self._show_tools()

    def go_to_worst(self) -> bool:
        """Bring the cursor to the largest disagreement. False where there is none."""
        from core.imaging.geometry import index_to_ras_mm

        case = self.opened
        if case is None or case.worst is None:
            return False
        return self.scene.go_to(index_to_ras_mm(case.scan.volume.affine_ras, np.array(case.worst)))

    def _show_layers(self) -> None:
        self.scene.show_truth(self.truth.isChecked())
        self.scene.set_overlay_look(shown=self.prediction.isChecked())

    def _show_tools(self) -> None:
        case = self.opened
        self.worst.setEnabled(case is not None and case.worst is not None)
        self.truth.setEnabled(case is not None)
        self.prediction.setEnabled(case is not None and case.prediction is not None)
        refused = case is not None and case.prediction is None
        self.said.setText("The model refused this scan" if refused else "")
        for one in (self.before, self.next):
            one.setEnabled(bool(self.title.text()))

    def close_views(self) -> None:
        self._stop()
        self.grid.close_views()
