"""The experiment being set up: one tree, seen as a form, as YAML and as changes from its preset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core import config
from core.errors import ConfigError, IsocenterError
from core.files import write_text
from gui.train.changes import ChangesView, differences
from gui.train.form import ExperimentForm, MakeEditor
from gui.train.yaml_editor import YamlEditor, to_text

FORM, YAML, CHANGES = range(3)


class Settings(QWidget):
    """The tree of the next run. Everything typed is in it, right or wrong; `problems` says what is wrong."""

    changed = Signal()
    failed = Signal(object)  # an exception: a file that could not be read or written

    def __init__(self, store: QSettings, *, custom: Mapping[str, MakeEditor] | None = None) -> None:
        super().__init__()
        self._store = store
        self.preset = ""
        self._base = config.to_tree(config.experiment_class()())
        self._tree: dict[str, Any] = {}
        self._problems: dict[str, str] = {}
        self.form = ExperimentForm(config.experiment_class(), custom=custom)
        self.yaml = YamlEditor()
        self.changes = ChangesView()
        self.menu_button = QToolButton()
        self._build()
        self.form.changed.connect(lambda: self._take(self.form.tree(), self.form))
        self.yaml.tree_changed.connect(lambda tree: self._take(tree, self.yaml))
        self.yaml.broken_changed.connect(self.changed)
        self.changes.restore_requested.connect(self._restore)
        self._recall()

    def _build(self) -> None:
        self.menu_button.setObjectName("preset-menu")
        self.menu_button.setAccessibleName("Preset, open and save")
        self.menu_button.setProperty("role", "menu")
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.menu_button)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu_button.setMenu(self.menu)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.form.setProperty("role", "scrolled")
        self.form.layout().setContentsMargins(0, 8, 10, 8)
        scroll.setWidget(self.form)
        self.scroll = scroll
        self.tabs = QTabWidget()
        self.tabs.setObjectName("settings-tabs")
        self.tabs.setAccessibleName("Settings")
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(scroll, "Form")
        self.tabs.addTab(self.yaml, "YAML")
        self.tabs.addTab(self.changes, "Changes (0)")
        self.tabs.currentChanged.connect(lambda _: self._show())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.menu_button)
        column.addWidget(self.tabs, 1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(240, 200)

    # ---- the tree -----------------------------------------------------------------------------------------------

    def tree(self) -> dict[str, Any]:
        """What is set, whether right or wrong."""
        return self._tree

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
        self.set_tree(with_value(self._tree, key, value))

    def _take(self, tree: dict[str, Any], source: QWidget | None) -> None:
        self._tree = tree
        self._problems = config.problems(tree)
        if source is not self.form:
            self.form.set_tree(tree)
        if source is not self.yaml and (source is None or self.tabs.currentIndex() == YAML):
            self.yaml.set_tree(tree)
        self._show()
        self._store.setValue("train/tree", to_text(tree))
        self._store.setValue("train/preset", self.preset)
        self.changed.emit()

    def _show(self) -> None:
        if self.tabs.currentIndex() == YAML and not self.yaml.broken:
            self.yaml.set_tree(self._tree)
        self.form.show_problems(self._problems)
        self.yaml.show_problems(self._problems)
        changes = differences(self._base, self._normal(self._tree))
        # The place of the data and the name are given for every run: they change nothing of the method.
        changes = {key: change for key, change in changes.items() if key not in ("data.path", "name")}
        self.tabs.setTabText(CHANGES, f"Changes ({len(changes)})")
        if self.tabs.currentIndex() == CHANGES:
            self.changes.show_changes(changes, self.preset)
        self.menu_button.setText(f"Preset: {self.preset}" if self.preset else "No preset")

    def _normal(self, tree: dict[str, Any]) -> dict[str, Any]:
        return tree if self._problems else config.to_tree(config.parse(tree))

    def _restore(self, key: str, value: Any) -> None:
        if key.endswith(".name"):  # another part: all of its block comes back
            key = key.removesuffix(".name")
            value = self._base[key]
        self.set_value(key, value)

    # ---- presets and files --------------------------------------------------------------------------------------

    def _fill_menu(self) -> None:
        self.menu.clear()
        for name in config.presets(config.DEFAULT_TASK):
            self.menu.addAction(name, lambda _=False, n=name: self.use_preset(n))
        self.menu.addSeparator()
        self.menu.addAction("Open YAML…", self._ask_open)
        self.menu.addAction("Save YAML…", self._ask_save)
        self.menu.addAction("Put everything back", lambda: self.set_tree({**self._base, **self._place()}))

    def use_preset(self, name: str) -> None:
        """Begin anew from a preset; the chosen data stays."""
        if self.open(config.presets(config.DEFAULT_TASK)[name], preset=name):
            self._store.setValue("train/preset", name)

    def open(self, path: Path, *, preset: str = "") -> bool:
        """Read a YAML file into the settings, wrong values included. False (and `failed`) where it cannot be read."""
        try:
            tree = config.load_tree(path)
            _require_form_for(config.task_of(tree), path)
        except (IsocenterError, OSError) as error:
            self.failed.emit(error)
            return False
        if preset:
            self._rebase(preset)
            tree = config.to_tree(config.parse(tree)) if not config.problems(tree) else tree
            for key, value in self._place().items():
                tree[key] = {**tree.get(key, {}), **value}
        self.set_tree(tree)
        return True

    def _place(self) -> dict[str, Any]:
        """The data block with only the chosen folder kept."""
        data = self._tree.get("data")
        path = data.get("path") if isinstance(data, dict) else None
        return {"data": {**self._base["data"], "path": path}} if path else {}

    def _rebase(self, preset: str) -> None:
        try:
            self._base = config.to_tree(config.load(preset))
            self.preset = preset
        except IsocenterError:
            self._base = config.to_tree(config.experiment_class()())
            self.preset = ""

    def save(self, path: Path) -> bool:
        """Write the settings as YAML, whole or not at all."""
        try:
            write_text(path, to_text(self._tree))
        except IsocenterError as error:
            self.failed.emit(error)
            return False
        return True

    def _ask_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open an experiment", "", "Experiments (*.yaml *.yml)")
        if chosen:
            self.open(Path(chosen))

    def _ask_save(self) -> None:
        name = f"{self._tree.get('name') or 'experiment'}.yaml"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the experiment", name, "Experiments (*.yaml *.yml)")
        if chosen:
            self.save(Path(chosen))

    def _recall(self) -> None:
        """Show what was set last, or the first preset."""
        stored = str(self._store.value("train/tree", "") or "")
        presets = config.presets(config.DEFAULT_TASK)
        preset = str(self._store.value("train/preset", "") or "")
        if not stored:
            preset = preset if preset in presets else next(iter(presets), "")
        if preset in presets:
            self._rebase(preset)
        try:
            tree = config.read_yaml(stored)
        except (yaml.YAMLError, RecursionError, ValueError):
            tree = None
        self.set_tree(tree if isinstance(tree, dict) else self._base)


def _require_form_for(task: str, path: Path) -> None:
    """The form is made for one task; another's experiment would lose its keys in it."""
    if task != config.DEFAULT_TASK:
        raise ConfigError(
            f"the window trains {config.DEFAULT_TASK}, and this is an experiment of another task ({task})",
            where=path,
            mend="Train it with `isocenter train` on the command line.",
        )


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
