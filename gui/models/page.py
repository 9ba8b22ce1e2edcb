"""The Models page: every model at hand, what it was trained on and how well it does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core import RESEARCH_ONLY
from core.control import JobControl
from core.errors import IsocenterError
from core.inference.package import AnyPackage
from gui.context import AppContext
from gui.dropping import some
from gui.models.card_view import CardText, ModelFacts, training_of, use_of
from gui.models.removal import Removal
from gui.predict.model_card import choice_of, key, simulated, task_of, title
from gui.train.data_kinds import task_titles
from gui.widgets import ElidedLabel, EmptyState, button, label, notice, scrolled, section
from gui.widgets.rail import PAGES

ZIP = "Model (*.zip)"
SOURCES = "a package, a trained nnU-Net v2 model or a MONAI bundle"


class ModelsPage(QWidget):
    """The list on the left, the chosen model on the right; import, export, removal that can be undone."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "page")
        self.setObjectName("models-page")
        self._context = context
        self._choice = choice_of(context)
        self._removed: list[Removal] = []
        self.setAcceptDrops(True)
        self._build()
        self._choice.changed.connect(self._fill)
        context.closing.connect(self._finish_removals)
        self._fill()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._left_side(), 3)
        row.addWidget(self._right_side(), 8)

    def _left_side(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        frame.setMaximumWidth(300)
        self.list = QListWidget()
        self.list.setObjectName("models-list")
        self.list.setAccessibleName("Models")
        self.list.setSpacing(2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(lambda _row: self._show_selected())
        self.import_button = button(
            "Import", "models-import", icon="import", tip=f"Import {SOURCES}: a .zip or a folder, or drop it here"
        )
        self._with_menu(self.import_button)
        head = QHBoxLayout()
        head.addWidget(section("Models"))
        head.addStretch(1)
        head.addWidget(self.import_button)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.list, 1)
        column.addWidget(self._undo_bar())
        return frame

    def _undo_bar(self) -> QFrame:
        self.undo_bar = QFrame()
        self.undo_bar.setProperty("role", "notice")
        self.undo_bar.setProperty("level", "info")
        self.undo_bar.setObjectName("models-undo-bar")
        self._undo_text = label("", wrap=True)
        row = QHBoxLayout(self.undo_bar)
        row.setContentsMargins(12, 6, 6, 6)
        row.addWidget(self._undo_text, 1)
        row.addWidget(button("Undo", "models-undo", self.undo_removal, role="link", tip="Bring the model back"))
        self.undo_bar.hide()
        return self.undo_bar

    def _right_side(self) -> QWidget:
        import_too = button("Import a model", "models-import-first", role="primary")
        self._with_menu(import_too)
        to_train = button("Train one", "models-to-train", lambda: self._context.page_requested.emit("train"))
        self._empty = EmptyState(
            "models",
            "No models yet",
            f"Import or drop {SOURCES}, or train a model and publish it.",
            import_too,
            to_train,
        )
        self._title = label("", "headline", wrap=True)
        self._summary = label("", "dim", wrap=True)
        self._simulated = notice("Trained on simulated data: accuracy on real scans is unknown.", "warn")
        self.default_button = button("Predict with this", "model-default", self.make_default, role="primary")
        self.evaluate_button = button(
            "Evaluate…", "model-evaluate", self.evaluate, tip="Measure it on labelled cases, and review them"
        )
        self.export_button = button("Export", "model-export", self.choose_export, icon="save", tip="Save as a .zip")
        self.remove_button = button("Remove", "model-remove", self.remove, role="danger", tip="Can be undone")
        actions = QHBoxLayout()
        actions.setSpacing(8)
        for one in (self.default_button, self.evaluate_button, self.export_button, self.remove_button):
            actions.addWidget(one)
        actions.addStretch(1)
        self.facts, self.card = ModelFacts(), CardText()
        parts = QHBoxLayout()
        parts.setSpacing(32)
        left = scrolled(self.facts)
        left.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        left.setMinimumWidth(330)
        left.setMaximumWidth(412)
        parts.addWidget(left, 1)
        text = QVBoxLayout()
        text.setSpacing(8)
        text.addWidget(section("Model card"))
        text.addWidget(self.card, 1)
        parts.addLayout(text, 1)
        self._shown = QWidget()
        column = QVBoxLayout(self._shown)
        column.setContentsMargins(24, 20, 24, 12)
        column.setSpacing(8)
        for widget in (self._title, self._summary, self._simulated):
            column.addWidget(widget)
        column.addLayout(actions)
        column.addSpacing(12)
        column.addLayout(parts, 1)
        column.addWidget(label(RESEARCH_ONLY, "small"))
        both = QWidget()
        outer = QVBoxLayout(both)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._shown)
        outer.addWidget(self._empty)
        return both

    # ---- the list -----------------------------------------------------------------------------------------------

    @property
    def selected(self) -> AnyPackage | None:
        row = self.list.currentRow()
        return self._choice.every[row] if 0 <= row < len(self._choice.every) else None

    def _fill(self) -> None:
        """List the packages anew; the one that was selected stays so."""
        before, current = self.list.currentItem(), self._choice.current
        name = before.data(Qt.ItemDataRole.UserRole) if before else key(current) if current else ""
        origins, titles = self._origins(), task_titles()
        self.list.blockSignals(True)
        self.list.clear()
        for package in self._choice.every:
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, key(package))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, title(package))
            item.setSizeHint(QSize(0, 52))
            self.list.addItem(item)
            in_use = current is not None and key(package) == key(current)
            self.list.setItemWidget(
                item, _entry(package, f"{titles.get(task_of(package), task_of(package))} · {origins(package)}", in_use)
            )
            if key(package) == name:
                self.list.setCurrentItem(item)
        if self.list.currentRow() < 0 and self.list.count():
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        self._show_selected()

    def _origins(self) -> Callable[[AnyPackage], str]:
        """How each package came here, in a word."""
        try:
            runs = {name for run in self._context.catalog().runs() for name in (run.id, run.name)}
        except IsocenterError:
            runs = set()

        def origin(package: AnyPackage) -> str:
            if package.bundled:
                return "Built in"
            return "Published here" if training_of(package).get("run") in runs else "Imported"

        return origin

    def _show_selected(self) -> None:
        package, current = self.selected, self._choice.current
        self._shown.setVisible(package is not None)
        self._empty.setVisible(package is None and self._choice.loaded)
        if package is None:
            return
        self._title.setText(title(package))
        self._summary.setText(package.summary)
        self._simulated.setVisible(simulated(package))
        in_use = current is not None and key(package) == key(current)
        words, page = use_of(package)
        self.default_button.setText("Used for predictions" if in_use else words)
        self.default_button.setVisible(page == "" or page in PAGES)
        self.default_button.setEnabled(not in_use)
        self.remove_button.setEnabled(not package.bundled)
        self.remove_button.setToolTip(
            "A model that comes with the program stays" if package.bundled else "Can be undone"
        )
        self.facts.show_package(package)
        self.card.show_card(package.card)

    def make_default(self) -> None:
        """Use the selected model for scans; one for other data is used on the page of that data."""
        package = self.selected
        if package is None:
            return
        page = use_of(package)[1]
        if page:
            self._context.page_requested.emit(page)
        else:
            self._choice.choose(key(package))

    # ---- in, out and away ---------------------------------------------------------------------------------------

    def evaluate(self) -> None:
        if self.selected is not None:
            self._context.evaluation_requested.emit(key(self.selected))

    def _with_menu(self, opener: QPushButton) -> None:
        """Have a button ask for what a model may be: an archive, or a folder as other programs write it."""
        menu = QMenu(opener)
        menu.addAction("From a .zip…", self.choose_import)
        menu.addAction("From a folder…", self.choose_import_folder)
        opener.setMenu(menu)

    def choose_import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Import a model", "", ZIP)
        if chosen:
            self.import_from(Path(chosen))

    def choose_import_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Import the model in a folder")
        if chosen:
            self.import_from(Path(chosen))

    def import_from(self, *paths: Path) -> None:
        """Take in the model of each .zip or folder: a package or a model of another program."""

        def work(control: JobControl) -> tuple[list[tuple[AnyPackage, str]], list[IsocenterError]]:
            from core.inference.importing import import_model

            imported, refused = [], []
            for number, path in enumerate(paths):
                part = control.part(number / len(paths), (number + 1) / len(paths))
                try:
                    imported.append(import_model(path, control=part))
                except IsocenterError as error:
                    refused.append(error)
            return imported, refused

        def done(outcome: tuple[list[tuple[AnyPackage, str]], list[IsocenterError]]) -> None:
            imported, refused = outcome
            if imported:
                self._context.models_changed.emit()
                self.select(imported[-1][0])
            told = [*map(str, refused), *(f"{title(package)} was imported: {kind}." for package, kind in imported)]
            self._context.notice.emit("bad" if refused else "ok", " ".join(told))

        self._context.jobs.run(f"Importing {some([path.name for path in paths])}", work, done=done)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if paths:
            QTimer.singleShot(0, self, partial(self.import_from, *paths))  # the other program waits for the drop to end

    def choose_export(self) -> None:
        package = self.selected
        if package is not None:
            proposed = str(Path.home() / f"{key(package)}.zip")
            chosen, _ = QFileDialog.getSaveFileName(self, "Export the model", proposed, ZIP)
            if chosen:
                self.export_to(package, Path(chosen))

    def export_to(self, package: AnyPackage, path: Path) -> None:
        def work(control: JobControl) -> Path:
            from core.inference.archive import export_package

            control.progress(None, f"Exporting {package.title}")
            return export_package(package, path)

        told = partial(self._context.notice.emit, "ok")
        self._context.jobs.run("Export model", work, done=lambda written: told(f"Saved {written}."))

    def remove(self) -> None:
        """Take the selected model away; Undo brings it back until the window closes."""
        package = self.selected
        if package is None:
            return
        try:
            removal = Removal(package)
            removal.row = self._context.catalog().remove_model(package.name, package.version)
            self._removed.append(removal)
        except IsocenterError as error:
            self._context.tell(error)
            return
        self._context.models_changed.emit()
        self._offer_undo()

    def undo_removal(self) -> None:
        if not self._removed:
            return
        removal = self._removed.pop()
        try:
            removal.undo()
            if removal.row is not None:
                self._context.catalog().restore_model(removal.row)
        except IsocenterError as error:
            self._context.tell(error)
        self._context.models_changed.emit()
        self.select(removal.package)
        self._offer_undo()

    def _offer_undo(self) -> None:
        self.undo_bar.setVisible(bool(self._removed))
        if self._removed:
            self._undo_text.setText(f"{title(self._removed[-1].package)} was removed.")

    def _finish_removals(self) -> None:
        while self._removed:
            self._removed.pop().finish()

    def select(self, package: AnyPackage) -> None:
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == key(package):
                self.list.setCurrentRow(row)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._choice.reload()  # the command line may have added or taken some


def _entry(package: AnyPackage, origin: str, in_use: bool) -> QWidget:
    """A line of the list: the model's title, where it came from, and whether it is the one in use."""
    entry = QWidget()
    column = QVBoxLayout(entry)
    column.setContentsMargins(10, 6, 10, 6)
    column.setSpacing(2)
    column.addWidget(ElidedLabel(title(package), "strong", mode=Qt.TextElideMode.ElideRight))
    column.addWidget(ElidedLabel(f"{origin} · in use" if in_use else origin, "small"))
    return entry
