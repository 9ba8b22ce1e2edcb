"""The Train page: settings and data on the left, the run in the middle, its preview and log on the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from core import config, registry
from core.errors import IsocenterError
from gui.context import AppContext
from gui.file_drops import FileDrops
from gui.train.blocks import MakeEditor
from gui.train.cross_validate import CrossValidateDialog
from gui.train.dashboard import Dashboard, side_panel
from gui.train.data_check import DataCheck, count_of
from gui.train.data_editor import DataEditor
from gui.train.data_kinds import kind_at, kind_of
from gui.train.engine import Failure, training
from gui.train.guide import guide
from gui.train.header import RunHeader
from gui.train.history import History
from gui.train.messages import EventLog, FailureCard, remark
from gui.train.plan_panel import PlanPanel, shown
from gui.train.preview import PreviewPanel
from gui.train.publishing import Publisher
from gui.train.settings import Settings, with_value
from gui.train.undo_bar import UndoBar
from gui.train.watch import RunWatcher, Update
from gui.widgets.cards import EmptyState, notice
from gui.widgets.controls import button
from gui.widgets.labels import label, section

_HELD_OUT, _MINUTES = ("data", "test_fraction"), ("trainer", "max_minutes")
ASKED = {"stop": "stopping…", "pause": "pausing…", "resume": "going on…", "discard": "discarding…"}


class TrainPage(QWidget):
    """Sets up runs and shows one live, from this window or from elsewhere."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("train-page")
        self.setProperty("role", "page")
        FileDrops(self).dropped.connect(self._take_dropped)
        self.context = context
        self.engine = training(context)
        self.watcher = RunWatcher(self)
        self.publisher = Publisher(context, self)
        self.history = History()
        self._asked = ""
        self._failures: dict[str, Failure] = {}
        self.check = DataCheck(context)
        self.settings = Settings(context.settings, custom=self._editors)
        self.plan = PlanPanel(context)
        self.header = RunHeader()
        self.undo = UndoBar("discard-undo")
        self.dashboard = Dashboard()
        self.preview = PreviewPanel()
        self.log = EventLog()
        self.failure = FailureCard()
        self._build()
        self._connect()
        self._task_changed()
        self._settings_changed()
        if self.engine.run_id:
            self.show_run(self.engine.run_id)

    def toolbar_widgets(self) -> list[QWidget]:
        """What the window's bar shows for this page."""
        self.header.move_to_window_bar()
        return [self.header]

    # ---- layout -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        left, inside = side_panel(300)
        inside.addWidget(self.settings, 1)
        self.reason = label("", "dim", wrap=True)
        self.reason.setObjectName("start-reason")
        self.start = button("Start training", "start", self._start, role="primary")
        inside.addWidget(self.reason)
        inside.addWidget(self.start)
        tip = "A run for each of several folds, so that every case is measured once"
        self.cross_validate = button("Cross-validate…", "cross-validate", self._ask_folds, tip=tip)
        inside.addWidget(self.cross_validate)
        self.choose = button("", "choose-data", lambda: self.place.ask(), icon="folder")
        self.empty = EmptyState("train", "", "", self.choose)
        self.empty.layout().setContentsMargins(96, 0, 96, 0)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.undo)
        column.addWidget(self.failure)
        column.addWidget(self.publisher.bar)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.plan)
        self.stack.addWidget(self.dashboard)
        column.addWidget(self.stack, 1)
        self.right, beside = side_panel(260)
        self.preview.hide()  # until there is one; many tasks have none
        beside.addWidget(self.preview)
        self._remark_place = QVBoxLayout()
        beside.addLayout(self._remark_place)
        beside.addSpacing(8)
        beside.addWidget(section("Log"))
        beside.addWidget(self.log, 1)
        self.right.hide()
        self._remark = ""
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        for widget in (left, middle, self.right):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([344, 748, 300])
        split.setCollapsible(1, False)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(self.header)
        page.addWidget(split, 1)

    def _connect(self) -> None:
        self.settings.changed.connect(self._settings_changed)
        self.settings.task_changed.connect(self._task_changed)
        self.settings.failed.connect(self.context.tell)
        self.check.changed.connect(self._checked)
        self.plan.planned.connect(self._planned)
        self.engine.started.connect(self.show_run)
        self.engine.ended.connect(self._ended)
        self.engine.busy_changed.connect(self._show_start)
        self.watcher.updated.connect(self._update)
        self.watcher.live_found.connect(self._show_found)
        self.watcher.preview_loaded.connect(self.preview.show_preview)
        self.watcher.failed.connect(lambda error: self.header.note.setText(f"the catalog cannot be read: {error}"))
        self.preview.epoch_wanted.connect(self.watcher.load_preview)
        self.publisher.changed.connect(self._show_header)
        self.context.run_requested.connect(self.show_run)
        header = self.header
        header.pause_requested.connect(lambda: self._ask("pause"))
        header.go_on_requested.connect(lambda: self._ask("resume"))
        header.stop_requested.connect(lambda: self._ask("stop"))
        header.discard_requested.connect(self._offer_discard)
        header.resume_requested.connect(lambda: self.engine.resume(self.watcher.run_id))
        header.publish_requested.connect(lambda: self.history.run and self.publisher.publish(self.history.run))
        header.settings_requested.connect(self._use_settings)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        if self.watcher.run_id:
            self.watcher.go_on()
        elif not self.engine.busy:
            self.watcher.find_live()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        self.watcher.pause()
        super().hideEvent(event)

    # ---- setting up ---------------------------------------------------------------------------------------------

    @property
    def task(self) -> Any:
        """The class of the chosen task."""
        return registry.part("task", self.settings.task)

    @property
    def place(self) -> DataEditor:
        """The editor of the data's place in the form that is shown."""
        return cast(DataEditor, self.settings.form.editor("data.path"))

    def _editors(self, task: str) -> dict[str, MakeEditor]:
        data_kind = registry.part("task", task).data_kind  # type: ignore[attr-defined]
        return {"data.path": lambda: DataEditor(self.context, data_kind)}

    def choose_data(self, place: Path, values: Mapping[str, Any] | None = None, *, kind: str = "") -> None:
        """Set what is trained on, as if it was chosen or dropped, and further settings by dotted key.

        kind: of data; a task that takes none such gives way to one that does.
        """
        if kind and self.task.data_kind != kind:
            fitting = (name for name, part in registry.parts("task").items() if getattr(part, "data_kind", "") == kind)
            self.settings.use_task(next(fitting, self.settings.task))
        tree = self.settings.tree()
        for key, value in {"data.path": str(place), **(values or {})}.items():
            tree = with_value(tree, key, value)
        self.settings.set_tree(tree)

    def _take_dropped(self, paths: list[Path]) -> None:
        """What is dropped anywhere on the page is trained on, by a task that takes its kind."""
        if len(paths) == 1 and (kind := kind_at(paths[0], self.task.data_kind)):
            self.choose_data(paths[0], kind=kind)
        else:
            self.context.notice.emit("warn", "Drop one folder or one table to train on.")

    def _task_changed(self) -> None:
        self.settings.form.add_below("data", "path", self.check)
        self.cross_validate.setVisible(self.task.has_folds)
        self.choose.setText(kind_of(self.task).action)

    def _settings_changed(self) -> None:
        self.check.set_tree(self.settings.tree(), self.settings.problems)
        self._show_start()

    def _checked(self) -> None:
        if self.check.dataset is not None:
            self.place.remember(str(self.check.path))
            self.settings.form.show_columns(getattr(self.check.dataset, "columns", {}))
        self._show_start()

    def blocker(self) -> str:
        """Why no run can be started, in words; empty when one can."""
        if self.engine.busy:
            return "a run is training in this window; it has to end first"
        return self.settings.blocker() or self.check.blocker()

    def _planned(self, proposal: Any) -> None:
        """The form's empty fields say what is planned for them."""
        choices = proposal.choices if proposal is not None else ()
        self.settings.form.show_planned({choice.key: shown(choice.text) for choice in choices if not choice.by_user})
        self._show_empty(self.blocker())

    def _show_start(self) -> None:
        why = self.blocker()
        self.plan.set(self.settings.tree(), not self.settings.blocker(), self.check.dataset)
        self.plan.set_measurable(not self.engine.busy)
        self.start.setEnabled(not why)
        self.cross_validate.setEnabled(not why)
        self.reason.setText(
            f"To start: {why}." if why and not self.engine.busy else f"{why[:1].upper()}{why[1:]}." if why else ""
        )
        self.reason.setVisible(bool(why))
        self.start.setAccessibleDescription(why)
        self._show_empty(why)
        self._show_header()

    def _show_empty(self, why: str) -> None:
        """What the middle says while no run is shown."""
        if self.stack.currentWidget() is not self.dashboard:
            found = self.plan.proposal is not None or self.plan.departures is not None
            planned = not why and (found or self.plan.refused)
            self.stack.setCurrentWidget(self.plan if planned else self.empty)
        dataset = None if why else self.check.dataset
        title, text = guide(self.engine.busy, dataset, self.check.path, why, kind_of(self.task))
        self.empty.title.setText(title)
        self.empty.text.setText(text)
        self.choose.setVisible(not self.check.path)

    def _start(self) -> None:
        self._begin(self.settings.tree(), self.engine.start)

    def _ask_folds(self) -> None:
        tree, dataset = self.settings.tree(), self.check.dataset
        if self.blocker() or dataset is None:
            return
        share, minutes = (tree.get(block, {}).get(key) for block, key in (_HELD_OUT, _MINUTES))
        dialog = CrossValidateDialog(count_of(dataset), float(share or 0), float(minutes or 0), self)
        dialog.start_requested.connect(self._start_folds)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _start_folds(self, count: int, held_out: float) -> None:
        tree = self.settings.tree()
        tree = {**tree, "data": {**tree["data"], "test_fraction": round(held_out, 4)}}
        self._begin(tree, lambda experiment: self.engine.start_folds(experiment, count))

    def _begin(self, tree: dict[str, Any], start: Callable[[Any], None]) -> None:
        if self.blocker():
            return
        try:
            experiment = config.parse(tree)
        except IsocenterError as error:
            self.context.tell(error)
            return
        self.watcher.watch("")
        self._clear("")
        self.failure.show_failure(None)
        start(experiment)

    def _use_settings(self) -> None:
        if self.history.run is not None:
            self.context.attempt(lambda: self.settings.set_tree(self.history.kept_settings()))

    # ---- the run that is shown ----------------------------------------------------------------------------------

    def show_run(self, run_id: str) -> None:
        """Show a run live."""
        if run_id == self.watcher.run_id:
            return
        self.undo.finish()
        self._clear("")
        self.failure.show_failure(None)
        self._failures.pop(run_id, None)
        self.watcher.watch(run_id)
        if not self.isVisible():
            self.watcher.pause()

    def _show_found(self, run_id: str) -> None:
        """A run that another program trains is shown when this page has nothing else to show."""
        if not self.watcher.run_id and not self.engine.busy:
            self.show_run(run_id)

    def _clear(self, title: str) -> None:
        self.history = History()
        self._asked = ""
        self.publisher.hide()
        self.preview.clear()
        self.log.clear()
        self.right.hide()
        self.stack.setCurrentWidget(self.empty)
        self.header.show_none(title)
        self._show_empty(self.blocker())

    def _update(self, update: Update) -> None:
        if update.run is None:
            self.watcher.watch("")
            self._clear("")
            self.context.runs_changed.emit()
            return
        before = self.history.run.state if self.history.run else ""
        self.history.add(update)
        run = update.run
        if run.state != before:
            self._asked = ""
            if before:
                self.context.runs_changed.emit()
        self.stack.setCurrentWidget(self.dashboard)
        self.right.show()
        self.preview.setVisible(bool(self.history.previews))
        self.preview.set_structures(self.history.structures)
        self.preview.set_epochs(self.history.previews)
        self.log.append_events(update.events)
        self._show_failure()
        self._show_remark()
        self._show_header()
        self.dashboard.refresh(self.history)

    def _show_header(self) -> None:
        run = self.history.run
        if run is not None:
            self.header.show_run(
                run, self.history.checkpoints, busy=self.engine.busy, asked=ASKED.get(self._asked, ""),
                publishing=self.publisher.busy,
            )  # fmt: skip

    def _show_failure(self) -> None:
        run = self.history.run
        if run is None or run.state != "failed":
            self.failure.show_failure(None)
        elif self.failure.isHidden():
            known = self._failures.get(run.id)
            self.failure.show_failure(known or Failure.told(run.id, run.error or ""), run.folder)

    def _show_remark(self) -> None:
        text = remark(self.history, int(self.history.setting("trainer.early_stopping")))
        if text == self._remark:
            return
        self._remark = text
        while self._remark_place.count():
            self._remark_place.takeAt(0).widget().deleteLater()
        if text:
            self._remark_place.addWidget(notice(text, "warn"))

    def _ask(self, what: str) -> None:
        self._asked = what
        self.engine.request(self.watcher.run_id, what)
        self._show_header()

    def _offer_discard(self) -> None:
        run_id = self.watcher.run_id
        name = self.history.run.name if self.history.run else run_id
        self.undo.offer(f"{name} will be discarded: its curves and checkpoints go.", lambda: self._discard(run_id))

    def _discard(self, run_id: str) -> None:
        if run_id == self.watcher.run_id:
            self._asked = "discard"
        self.engine.request(run_id, "discard")

    def _ended(self, run_id: str, failure: Failure | None) -> None:
        if failure is not None and run_id:
            self._failures[run_id] = failure
            self.failure.hide()  # told in its parts at the next update
        elif failure is not None:
            self._clear("The run could not start")
            self.failure.show_failure(failure)
        elif not run_id:
            self._clear("")

    def shut_down(self) -> None:
        """The window closes: stop watching; a discard that still waits is not done, since it cannot be undone later."""
        self.undo.undo()
        self.plan.shut_down()
        self.watcher.watch("")
        self.watcher.pause()
