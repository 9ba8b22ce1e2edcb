"""The panel beside the scan: choose a model, predict, see the structures, save."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core import RESEARCH_ONLY
from core.errors import IsocenterError
from core.imaging.volume import Volume
from gui.context import AppContext
from gui.dropping import page_of
from gui.jobs.jobs import Job
from gui.predict.history import OverlayHistory
from gui.predict.model_card import ModelCard, ModelChooser, choice_of, key
from gui.predict.results import ResultsView
from gui.predict.review import ReviewActions
from gui.predict.status import FailureCard, ProgressCard
from gui.predict.stored import Overlay, check_scan, load_overlay, own_folder, remove_unfinished
from gui.predict.thoroughness import Thoroughness
from gui.predict.worker_process import PredictionJob, PredictionRequest, worker_of
from gui.widgets import EmptyState, button, dress, label, scrolled, section

if TYPE_CHECKING:
    from core.catalog import PredictionRow

ON_DROP_KEY = "predict/on_drop"
NO_SCAN = "No scan open", "Open a scan, or drop one on the window, to predict it."
STILL_LOADING = "Loading the scan", "It can be predicted once all of it is there."
WARM_UP_AFTER_MS = 1500


@dataclass
class ScanState:
    """What the panel knows of one scan, whether it is in front or not."""

    history: OverlayHistory = field(default_factory=OverlayHistory)
    job: PredictionJob | None = None
    error: Exception | None = None


class PredictPanel(QFrame):
    """Right side of the Scans page; `set_scan` says which scan is in front."""

    overlay_ready = Signal(object)  # Overlay (labels on the scan's own grid, structures); None: the bare scan

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setObjectName("predict-panel")
        self._context = context
        self._worker = worker_of(context)
        self._choice = choice_of(context)
        self._volume: Volume | None = None
        self._states: dict[tuple[Path, str], ScanState] = {}
        self._loading: Job | None = None
        self._time = 0
        self._overlay: Overlay | None = None
        self._awaited: PredictionRow | None = None  # to be laid over its scan as soon as that is open
        self._warm_up = QTimer(self, singleShot=True, interval=WARM_UP_AFTER_MS)
        self._warm_up.timeout.connect(self._warm)
        self._build()
        self._shortcuts()
        self._choice.changed.connect(self._refresh)
        context.prediction_open_requested.connect(self.open_prediction)
        context.predictions_changed.connect(self._drop_deleted)
        self._refresh()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._no_scan = EmptyState("predict", *NO_SCAN)
        to_models = button("Go to models", "predict-to-models", lambda: self._context.page_requested.emit("models"))
        self._no_model = EmptyState(
            "models", "No model yet", "Import a model package, or publish one from a run of your own.", to_models
        )
        for empty in (self._no_scan, self._no_model):
            empty.text.setMinimumWidth(180)
            empty.setContentsMargins(12, 0, 12, 0)
        self._card = ModelCard(self._choice)
        self.thoroughness = Thoroughness(self._choice)
        self.predict_button = self._predict_button("predict-button")
        self.on_drop = QCheckBox("Predict on drop")
        self.on_drop.setObjectName("predict-on-drop")
        self.on_drop.setAccessibleName("Predict a scan as soon as it is dropped")
        self.on_drop.setChecked(self._context.settings.value(ON_DROP_KEY, False, type=bool))
        self.on_drop.toggled.connect(partial(self._context.settings.setValue, ON_DROP_KEY))
        self.progress = ProgressCard("prediction-progress")
        self.progress.cancel_requested.connect(self.cancel)
        self.failure = FailureCard("prediction-failure")
        self.results = ResultsView()
        self.review = ReviewActions(self._context)
        self.review.clear_requested.connect(self.clear_overlay)
        self.review.undo_requested.connect(self.undo)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 0, 16, 8)
        column.setSpacing(12)
        for widget in (
            self._card,
            self.thoroughness,
            self.predict_button,
            self.progress,
            self.on_drop,
            self.failure,
            self.results,
            self.review,
        ):
            column.addWidget(widget)
        column.addStretch(1)
        self._scroll = scrolled(inside)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 16, 8)
        head.addWidget(section("Prediction"))
        research = label(RESEARCH_ONLY, "small", wrap=True)
        research.setObjectName("research-only")
        research.setContentsMargins(16, 8, 16, 12)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(head)
        for widget in (self._no_scan, self._no_model, self._scroll):
            outer.addWidget(widget, 1)
        outer.addWidget(research)
        self._toolbar: list[QWidget] = []
        self.setMinimumWidth(280)

    def _predict_button(self, name: str) -> QPushButton:
        return button("Predict", name, self.predict, role="primary", tip="Predict this scan (Ctrl+Return)")

    def toolbar_widgets(self) -> list[QWidget]:
        """The chooser and the button once more, for the bar on top; they stay in step with the panel's."""
        if not self._toolbar:
            self._toolbar = [ModelChooser(self._choice, "top-model-chooser"), self._predict_button("top-predict")]
            self._refresh()
        return self._toolbar

    def _shortcuts(self) -> None:
        for keys, act in (
            ("Ctrl+Return", self.predict), ("Ctrl+Enter", self.predict), ("Ctrl+P", self.predict),
            (QKeySequence.StandardKey.Undo, self.undo), (QKeySequence.StandardKey.Redo, self.redo),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(act)
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        self._escape.activated.connect(self.cancel)

    # ---- the scan in front --------------------------------------------------------------------------------------

    def set_scan(self, volume: Volume | None, *, by_user: bool = True, arriving: bool = False) -> None:
        """Another scan is in front, or none: show what was predicted of it last.

        `by_user`: whether its user asked for it; predict on drop leaves what the program itself opens alone.
        `arriving`: whether there is none because one is still being loaded.
        """
        self._volume, self._overlay = volume, None
        self._stop_loading()
        if volume is None:
            title, text = STILL_LOADING if arriving else NO_SCAN
            self._no_scan.title.setText(title)
            self._no_scan.text.setText(text)
            self._refresh()
            return
        self._warm_up.start()
        is_new = self._state is None
        state = self._states.setdefault(_name_of(volume), ScanState())
        awaited = self._awaited
        if awaited is not None and _of(awaited, volume):
            self._awaited = None
            state.history.show(awaited)
        elif is_new and by_user and self.on_drop.isChecked():
            QTimer.singleShot(0, self.predict)
        if state.history.current is not None:
            self._show_current()
        else:
            self._refresh()

    @property
    def _state(self) -> ScanState | None:
        """That of the scan in front."""
        return self._states.get(_name_of(self._volume)) if self._volume is not None else None

    def _warm(self) -> None:
        if self.isVisible() and self._choice.current is not None:
            self._worker.warm_up()

    def set_time(self, time: int) -> None:
        """Another volume of a scan of several is shown: that one would be predicted."""
        if time != self._time:
            self._time = time
            self._refresh()

    @property
    def _time_point(self) -> int | None:
        """Of a scan of several volumes the one that a model of single ones takes; else None."""
        volume, package = self._volume, self._choice.current
        several = volume is not None and volume.voxels.ndim == 4 and volume.shape[3] > 1
        return self._time if several and package is not None and package.plan.channels == 1 else None

    # ---- predicting ---------------------------------------------------------------------------------------------

    @property
    def can_predict(self) -> bool:
        state = self._state
        return state is not None and state.job is None and self._choice.current is not None

    def predict(self) -> None:
        """Predict the scan in front with the chosen model, as a job."""
        package, volume, state = self._choice.current, self._volume, self._state
        if volume is None or state is None or package is None or state.job is not None:
            return
        request = PredictionRequest(
            volume.source.path, key(package), own_folder(), series=volume.source.series,
            mirror=self.thoroughness.mirror, members=self.thoroughness.members, roi=self.thoroughness.roi,
            uncertainty=True, time_point=self._time_point,
        )  # fmt: skip
        job = self._worker.predict(request)
        state.job, state.error = job, None
        job.changed.connect(self._show_progress)
        job.ended.connect(partial(self._ended, job, volume, state))
        self._context.jobs.adopt(job)
        self._refresh()

    def cancel(self) -> None:
        """End the prediction of the scan in front now."""
        state = self._state
        if state is not None and state.job is not None:
            state.job.cancel()

    def _show_progress(self) -> None:
        state = self._state
        if state is not None and state.job is not None:
            self.progress.show_job(state.job)

    def _ended(self, job: PredictionJob, volume: Volume, state: ScanState) -> None:
        state.job = None
        in_front = state is self._state
        if job.state == "done":
            state.history.show(self._context.catalog().prediction(int(job.result["id"])))
            self._context.predictions_changed.emit()
            if in_front:
                self._show_current()
            else:
                self._context.notice.emit("ok", f"The prediction of {volume.title} is done.")
            return
        remove_unfinished(job.request.out)
        self._warm_up.start()
        state.error = job.error
        if job.error is not None and not in_front:
            self._context.tell(job.error)
        self._refresh()

    # ---- the overlay --------------------------------------------------------------------------------------------

    def open_prediction(self, id: int) -> None:
        """Open a past prediction's scan and lay the stored segmentation over it."""
        try:
            row = self._context.catalog().prediction(id)
            if page_of(row.task) != "scans":
                return
            check_scan(row)
        except IsocenterError as error:
            self._context.tell(error)
            return
        self._context.page_requested.emit("scans")
        state = self._state
        if self._volume is not None and state is not None and _of(row, self._volume):
            state.history.show(row)
            self._show_current()
        else:
            self._awaited = row
            if row.series:
                self._context.series_requested.emit(row.scan, row.series)
            else:
                self._context.open_requested.emit([row.scan])

    def _drop_deleted(self) -> None:
        """Take a prediction that was deleted off its scan, and out of what undo brings back."""
        state = self._state
        row = state.history.current if state is not None else None
        if state is None or row is None:
            return
        with suppress(IsocenterError):
            if self._context.catalog().prediction(row.id) == row:
                return
        state.history.forget(row)
        self._show_current()

    def clear_overlay(self) -> None:
        """Show the bare scan; undo brings the segmentation back."""
        self._turn(lambda history: history.show(None))

    def undo(self) -> None:
        self._turn(OverlayHistory.undo)

    def redo(self) -> None:
        self._turn(OverlayHistory.redo)

    def _turn(self, change: Callable[[OverlayHistory], None]) -> None:
        state = self._state
        if state is None:
            return
        before = state.history.current
        change(state.history)
        if state.history.current != before:
            self._show_current()

    def _show_current(self) -> None:
        """Lay the history's current prediction over the scan; the file is read and checked anew."""
        volume, state = self._volume, self._state
        self._overlay = None
        self._stop_loading()
        if volume is None or state is None:
            return
        state.error, row = None, state.history.current
        if row is None:
            self.overlay_ready.emit(None)
        else:
            self._loading = self._context.jobs.run(
                "Open segmentation",
                partial(load_overlay, row, volume),
                done=self._lay,
                failed=partial(self._cannot_lay, row, state),
            )
        self._refresh()

    def _stop_loading(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()

    def _lay(self, overlay: Overlay) -> None:
        self._loading, self._overlay = None, overlay
        self.overlay_ready.emit(overlay)
        self._refresh()

    def _cannot_lay(self, row: PredictionRow, state: ScanState, error: Exception) -> None:
        self._loading = None
        state.history.forget(row)
        if state.history.current is not None:
            self._show_current()
        else:
            self.overlay_ready.emit(None)
        state.error = error
        self._refresh()

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show the parts that belong to the state; there is no other place that shows or hides any."""
        state, package = self._state, self._choice.current
        row = state.history.current if state is not None else None
        running = state is not None and state.job is not None
        error = state.error if state is not None else None
        self._no_scan.setVisible(state is None)
        self._no_model.setVisible(state is not None and package is None and self._choice.loaded and row is None)
        self._scroll.setVisible(self._no_scan.isHidden() and self._no_model.isHidden())
        self._card.setVisible(package is not None)
        for one in (self.predict_button, *self._toolbar[1:]):
            one.setEnabled(self.can_predict)
        which = "" if self._time_point is None else f" time {self._time_point + 1}"
        self.predict_button.setText(f"Predict{which}{'' if row is None else ' again'}")
        dress(self.predict_button, "role", "primary" if row is None or error is not None else "")
        self.predict_button.setVisible(package is not None and not running)
        for chooser in self._toolbar[:1]:
            chooser.setVisible(package is not None)
        self._escape.setEnabled(running)
        self.progress.setVisible(running)
        self._show_progress()
        self.failure.setVisible(error is not None)
        if error is not None:
            self.failure.show_error(error)
        shown = row if not running else None
        self.results.setVisible(shown is not None)
        if shown is not None:
            made_by = self._choice.find(shown.model, shown.model_version)
            self.results.show_prediction(shown, simulated=made_by is not None and made_by.manifest.training.simulated)
        can_undo = state is not None and state.history.can_undo
        self.review.setVisible(not running and state is not None and (row is not None or can_undo))
        self.review.show_state(shown, self._volume, self._overlay, can_undo)


def _name_of(volume: Volume) -> tuple[Path, str]:
    return volume.source.path, volume.source.series


def _of(row: PredictionRow, volume: Volume) -> bool:
    """Whether a prediction was made on this scan; a row of an older catalog does not know its series."""
    same_file = row.scan.absolute() == volume.source.path.absolute()
    return same_file and row.series in ("", volume.source.series)
