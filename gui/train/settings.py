"""The experiment being set up: one tree, seen as a form, as YAML and as changes from its preset; one for each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core import config, registry
from core.errors import IsocenterError
from core.files import write_text
from gui.train.blocks import MakeEditor
from gui.train.changes import ChangesView, differences
from gui.train.edits import Edits
from gui.train.form import ExperimentForm
from gui.train.task_chooser import TaskChooser
from gui.train.yaml_editor import YamlEditor, to_text
from gui.widgets.controls import tool_button

FORM, YAML, CHANGES = range(3)
TASK_KEY = "train/task"
OF_DATA = ("targets", "probe_outcome")  # settings of a task that name columns of its data


class Settings(QWidget):
    """The tree of the next run. Everything typed is in it, right or wrong; `problems` says what is wrong.

    Each task keeps a tree, a preset and steps back of its own.
    """

    changed = Signal()
    task_changed = Signal(str)
    failed = Signal(object)  # an exception: a file that could not be read or written

    def __init__(self, store: QSettings, *, custom: Callable[[str], Mapping[str, MakeEditor]] | None = None) -> None:
        """custom: editors of the form of a task, by dotted key."""
        super().__init__()
        self._store = store
        self._custom = custom or (lambda _task: {})
        self.task = ""
        self._presets: dict[str, str] = {}
        self._bases: dict[str, dict[str, Any]] = {}
        self._trees: dict[str, dict[str, Any]] = {}
        self._edits: dict[str, Edits] = {}
        self._forms: dict[str, tuple[QScrollArea, ExperimentForm]] = {}
        self._problems: dict[str, str] = {}
        self.chooser = TaskChooser()
        self.chooser.chosen.connect(self.use_task)
        self.yaml = YamlEditor()
        self.changes = ChangesView()
        self.menu_button = QToolButton()
        self._build()
        self.yaml.tree_changed.connect(lambda tree: self._take(tree, self.yaml))
        self.yaml.broken_changed.connect(self.changed)
        self.changes.restore_requested.connect(self._restore)
        last = str(store.value(TASK_KEY, ""))
        self.use_task(last if last in registry.parts("task") else config.DEFAULT_TASK)

    def _build(self) -> None:
        self.menu_button.setObjectName("preset-menu")
        self.menu_button.setAccessibleName("Preset, open and save")
        self.menu_button.setProperty("role", "menu")
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.menu_button)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu_button.setMenu(self.menu)
        self.undo_button = tool_button("undo", "settings-undo", "Undo the last change (Ctrl+Z)", self.undo)
        self.redo_button = tool_button("redo", "settings-redo", "Do the change again (Ctrl+Shift+Z)", self.redo)
        for keys, act in ((QKeySequence.StandardKey.Undo, self.undo), (QKeySequence.StandardKey.Redo, self.redo)):
            shortcut = QShortcut(QKeySequence(keys), self, act)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.forms = QStackedWidget()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("settings-tabs")
        self.tabs.setAccessibleName("Settings")
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.forms, "Form")
        self.tabs.addTab(self.yaml, "YAML")
        self.tabs.addTab(self.changes, "Changes (0)")
        self.tabs.currentChanged.connect(lambda _: self._show())
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.menu_button, self.undo_button, self.redo_button):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.chooser)
        column.addLayout(row)
        column.addWidget(self.tabs, 1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(240, 200)

    # ---- the task -----------------------------------------------------------------------------------------------

    @property
    def form(self) -> ExperimentForm:
        """That of the chosen task."""
        return self._forms[self.task][1]

    @property
    def preset(self) -> str:
        """The preset that the chosen task's settings began from; empty for none."""
        return self._presets.get(self.task, "")

    def use_task(self, name: str) -> None:
        """Show the settings of a task as they were left."""
        if name != self.task:
            self._switch(name)
            self._take(self._trees[name], None)

    def _switch(self, name: str) -> None:
        """Bring a task's form to the front; it is made at its first visit, with what was set last."""
        self.task = name
        if name not in self._forms:
            self._edits[name] = Edits()
            form = ExperimentForm(config.experiment_class(name), custom=self._custom(name))
            form.setProperty("role", "scrolled")
            form.layout().setContentsMargins(0, 8, 10, 8)
            form.changed.connect(lambda: self._take(form.tree(), form))
            scroll = QScrollArea()
            scroll.setWidgetResizable(True)
            scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            scroll.setWidget(form)
            self._forms[name] = scroll, form
            self.forms.addWidget(scroll)
            self._trees[name] = self._recall()
        self.forms.setCurrentWidget(self._forms[name][0])
        self.chooser.show_task(name)
        self._store.setValue(TASK_KEY, name)
        self.task_changed.emit(name)

    def _key(self, what: str) -> str:
        return f"train/{self.task}/{what}"

    # ---- the tree -----------------------------------------------------------------------------------------------

    def tree(self) -> dict[str, Any]:
        """What is set, whether right or wrong."""
        return self._trees[self.task]

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by dotted key."""
        return self._problems

    def blocker(self) -> str:
        """Why a run cannot start from these settings, in words; empty when it can."""
        if self.yaml.broken:
            return f"the YAML cannot be read ({self.yaml.broken})"
        if not self._problems:
            return ""
        key, text = next(iter(self._problems.items()))
        more = f" (and {len(self._problems) - 1} more)" if len(self._problems) > 1 else ""
        return f"{key} {text}{more}"

    def set_tree(self, tree: Mapping[str, Any]) -> None:
        self._take(dict(tree), None)

    def set_value(self, key: str, value: Any) -> None:
        """Set one dotted key."""
        self.set_tree(with_value(self.tree(), key, value))

    def undo(self) -> None:
        """Take the last change back."""
        self._take(self._edits[self.task].undo(self.tree()), None, note=False)

    def redo(self) -> None:
        self._take(self._edits[self.task].redo(self.tree()), None, note=False)

    def _take(self, tree: dict[str, Any], source: QWidget | None, *, note: bool = True) -> None:
        name = config.task_of(tree)
        if name != self.task and name in registry.parts("task"):  # an opened file, or another name in the YAML
            self._switch(name)
        if note:
            self._edits[self.task].note(self.tree(), tree)
        self._trees[self.task] = tree
        self._problems = config.problems(tree)
        if source is not self.form:
            self.form.set_tree(tree)
        if source is not self.yaml and (source is None or self.tabs.currentIndex() == YAML):
            self.yaml.set_tree(tree)
        self._show()
        self._store.setValue(self._key("tree"), to_text(tree))
        self._store.setValue(self._key("preset"), self.preset)
        self.changed.emit()

    def _show(self) -> None:
        tree = self.tree()
        if self.tabs.currentIndex() == YAML and not self.yaml.broken:
            self.yaml.set_tree(tree)
        self.form.show_problems(self._problems)
        self.yaml.show_problems(self._problems)
        changes = differences(self._bases[self.task], self._normal(tree))
        # The place of the data and the name are given for every run: they change nothing of the method.
        changes = {key: change for key, change in changes.items() if key not in ("data.path", "name")}
        self.tabs.setTabText(CHANGES, f"Changes ({len(changes)})")
        if self.tabs.currentIndex() == CHANGES:
            self.changes.show_changes(changes, self.preset)
        self.menu_button.setText(f"Preset: {self.preset}" if self.preset else "No preset")
        edits = self._edits[self.task]
        self.undo_button.setEnabled(edits.can_undo)
        self.redo_button.setEnabled(edits.can_redo)

    def _normal(self, tree: dict[str, Any]) -> dict[str, Any]:
        return tree if self._problems else config.to_tree(config.parse(tree))

    def _restore(self, key: str, value: Any) -> None:
        if key.endswith(".name"):  # another part: all of its block comes back
            key = key.removesuffix(".name")
            value = self._bases[self.task][key]
        self.set_value(key, value)

    # ---- presets and files --------------------------------------------------------------------------------------

    def _fill_menu(self) -> None:
        self.menu.clear()
        for name in config.presets(self.task):
            self.menu.addAction(name, lambda _=False, n=name: self.use_preset(n))
        self.menu.addSeparator()
        self.menu.addAction("Open YAML…", self._ask_open)
        self.menu.addAction("Save YAML…", self._ask_save)
        self.menu.addAction("Put everything back", self.put_back)

    def put_back(self) -> None:
        """The preset as it is; the chosen data stays."""
        self.set_tree({**self._bases[self.task], **self._place()})

    def use_preset(self, name: str) -> None:
        """Begin anew from a preset; the chosen data stays."""
        self.open(config.presets()[name], preset=name)

    def open(self, path: Path, *, preset: str = "") -> bool:
        """Read a YAML file into the settings, wrong values included. False (and `failed`) where it cannot be read."""
        try:
            tree = config.load_tree(path)
            registry.part("task", config.task_of(tree))
        except (IsocenterError, OSError) as error:
            self.failed.emit(error)
            return False
        if preset:
            self.use_task(config.task_of(tree))
            self._rebase(preset)
            tree = config.to_tree(config.parse(tree)) if not config.problems(tree) else tree
            for key, value in self._place().items():
                tree[key] = {**tree.get(key, {}), **value}
        self.set_tree(tree)
        return True

    def _place(self) -> dict[str, Any]:
        """The data block with only the chosen place kept."""
        data = self.tree().get("data")
        path = data.get("path") if isinstance(data, dict) else None
        return {"data": {**self._bases[self.task]["data"], "path": path}} if path else {}

    def _rebase(self, preset: str) -> None:
        try:
            self._bases[self.task] = config.to_tree(config.load(preset))
            self._presets[self.task] = preset
        except IsocenterError:
            self._bases[self.task] = self._plain()
            self._presets[self.task] = ""

    def _usual(self, preset: str) -> dict[str, Any]:
        """The method of a preset without what it says of its own data: which columns, which parts, which outcome."""
        plain = self._plain()
        if not preset:
            return plain
        try:
            tree = config.to_tree(config.load(preset))
        except IsocenterError:
            return plain
        task = {**tree["task"], **{key: value for key, value in plain["task"].items() if key in OF_DATA}}
        return {**tree, "name": plain["name"], "data": plain["data"], "task": task}

    def _plain(self) -> dict[str, Any]:
        """The defaults of the chosen task."""
        return config.to_tree(config.experiment_class(self.task)())

    def save(self, path: Path) -> bool:
        """Write the settings as YAML, whole or not at all."""
        try:
            write_text(path, to_text(self.tree()))
        except IsocenterError as error:
            self.failed.emit(error)
            return False
        return True

    def _ask_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open an experiment", "", "Experiments (*.yaml *.yml)")
        if chosen:
            self.open(Path(chosen))

    def _ask_save(self) -> None:
        name = f"{self.tree().get('name') or 'experiment'}.yaml"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the experiment", name, "Experiments (*.yaml *.yml)")
        if chosen:
            self.save(Path(chosen))

    def _recall(self) -> dict[str, Any]:
        """What was set last for the chosen task, or its first preset."""
        stored = str(self._store.value(self._key("tree"), "") or "")
        presets = config.presets(self.task)
        preset = str(self._store.value(self._key("preset"), "") or "")
        if not stored and preset not in presets:
            preset = self.task  # the preset to begin with, where there is one
        if preset in presets:
            self._rebase(preset)
        else:
            self._bases[self.task] = self._usual(next(iter(presets), ""))
        try:
            tree = config.read_yaml(stored)
        except (yaml.YAMLError, RecursionError, ValueError):
            tree = None
        known = isinstance(tree, dict) and config.task_of(tree) == self.task
        return tree if known else self._bases[self.task]


def with_value(tree: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of a tree with one dotted key set.

    >>> with_value({"a": {"b": 1}}, "a.c", 2)
    {'a': {'b': 1, 'c': 2}}
    """
    first, _, rest = key.partition(".")
    if not rest:
        return {**tree, first: value}
    inner = tree.get(first)
    return {**tree, first: with_value(inner if isinstance(inner, Mapping) else {}, rest, value)}
