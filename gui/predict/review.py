"""What can be done with a result: save it, copy its table, find its file, take it off the scan."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QWidget

from core.imaging.volume import Volume
from gui.context import AppContext
from gui.predict.saving import LABELS, WAYS, SaveAs, save
from gui.predict.stored import Overlay, volumes_table
from gui.widgets import button, tool_button

if TYPE_CHECKING:
    from core.catalog import PredictionRow

SAVE_FOLDER_KEY = "predict/save_folder"


class ReviewActions(QWidget):
    """The buttons under a result."""

    clear_requested = Signal()
    undo_requested = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._row: PredictionRow | None = None
        self._volume: Volume | None = None
        self._overlay: Overlay | None = None
        self._saved: Path | None = None
        self.save_button = button("Save", "prediction-save", role="primary", tip="Save the segmentation")
        self.save_menu = self._save_menu()
        self.save_button.setMenu(self.save_menu)
        self.save_button.setProperty("has_menu", True)
        self.copy_button = button("Copy table", "prediction-copy", self.copy, tip="Copy the table for a spreadsheet")
        self.folder_button = tool_button("folder", "prediction-folder", "Show in folder", self.show_in_folder)
        self.clear_button = tool_button(
            "eye-off", "prediction-clear", "Take the segmentation off the scan", self.clear_requested.emit
        )
        self.undo_button = button(
            "Bring the segmentation back", "prediction-undo", self.undo_requested.emit, icon="reset"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for one in (self.save_button, self.copy_button, self.folder_button, self.clear_button, self.undo_button):
            row.addWidget(one)
        row.addStretch(1)

    def show_state(
        self, row: PredictionRow | None, volume: Volume | None, overlay: Overlay | None, can_undo: bool
    ) -> None:
        """Offer what the state allows. `overlay` is None until the segmentation was read."""
        if row != self._row:
            self._saved = None
        self._row, self._volume, self._overlay = row, volume, overlay
        for one in (self.save_button, self.copy_button, self.folder_button, self.clear_button):
            one.setVisible(row is not None)
        self.save_button.setEnabled(overlay is not None)
        is_dicom = volume is not None and volume.source.format.startswith("DICOM")
        for way, action in zip(WAYS, self.save_menu.actions(), strict=True):
            action.setVisible(is_dicom or not way.dicom_only)
        self.undo_button.setVisible(row is None and can_undo)

    def _save_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("save-menu")
        menu.setToolTipsVisible(True)
        for way in WAYS:
            action = menu.addAction(way.words)
            action.triggered.connect(lambda _=False, way=way: self.save(way))
            action.setObjectName(f"save-{way.key}")
            action.setToolTip(way.tip)
        return menu

    def save(self, way: SaveAs = LABELS) -> None:
        """Write the segmentation where the user says."""
        volume, overlay, row = self._volume, self._overlay, self._row
        if volume is None or overlay is None or row is None:
            return
        target = self.ask_where(self._save_folder(volume) / f"{volume.name}_seg{way.suffix}", way)
        if target is None:
            return
        self._context.settings.setValue(SAVE_FOLDER_KEY, str(target.parent))

        def saved(said: str) -> None:
            self._saved = target
            self._context.notice.emit("ok", said)

        model = (row.model, row.model_version)
        self._context.jobs.run("Save segmentation", partial(save, way, target, overlay, volume, model), done=saved)

    def ask_where(self, proposed: Path, way: SaveAs) -> Path | None:
        chosen, filter = QFileDialog.getSaveFileName(self, "Save segmentation", str(proposed), ";;".join(way.filters))
        return way.whole_name(chosen, filter) if chosen else None

    def _save_folder(self, volume: Volume) -> Path:
        last = self._context.settings.value(SAVE_FOLDER_KEY, "")
        return Path(last) if last and Path(last).is_dir() else volume.source.path.parent

    def copy(self) -> None:
        if self._row is not None:
            text = "\n".join("\t".join(line) for line in volumes_table([self._row]))
            QGuiApplication.clipboard().setText(text)
            self._context.notice.emit("ok", "The table is on the clipboard.")

    def show_in_folder(self) -> None:
        if self._row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str((self._saved or self._row.output).parent)))
