"""The commands of the menu on the views and on the scan in front; without a viewer or a scan they do nothing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from gui.context import AppContext
from gui.scans.choosing import last_folder
from gui.scans.page import ScansPage

PICTURE_SCALE = 2  # saved pictures are finer than the screen


class ScanCommands:
    def __init__(self, context: AppContext, page: ScansPage) -> None:
        self._context = context
        self._page = page

    def reset_views(self) -> None:
        if self._page.grid is not None:
            self._page.grid.reset_views()

    def step_slice(self, by: int) -> None:
        if self._page.grid is not None and self._page.isVisible():
            self._page.grid.step_slice(by)

    def flip_sides(self) -> None:
        if self._page.grid is not None:
            self._page.grid.flip_sides()

    def toggle_measuring(self) -> None:
        if self._page.grid is not None and self._page.volume is not None and self._page.isVisible():
            self._page.grid.toggle_measuring()

    def remove_lines(self) -> None:
        if self._page.grid is not None:
            self._page.scene.lines.clear()
            self._page.scene.lines_changed()

    def auto_window(self) -> None:
        if self._page.grid is not None and self._page.isVisible():
            self._page.scene.auto_window()

    def toggle_overlay(self) -> None:
        if self._page.grid is not None and self._page.scene.overlay is not None:
            self._page.scene.set_overlay_look(shown=not self._page.scene.overlay.shown)

    def toggle_uncertainty(self) -> None:
        if self._page.grid is not None and self._page.scene.uncertainty is not None:
            self._page.scene.show_uncertainty(not self._page.scene.uncertainty.shown)

    def flicker(self) -> None:
        """Of two scans that are compared, show the one, then the other."""
        if self._page.grid is not None:
            self._page.scene.flicker()

    def save_picture(self) -> None:
        """Save the views, with the side marker, as a PNG."""
        grid, volume = self._page.grid, self._page.volume
        if grid is None or volume is None:
            self._context.notice.emit("info", "Open a scan first: then its views can be saved as a picture.")
            return
        start = Path(last_folder(self._context.settings)) / f"{volume.name}.png"
        name, _ = QFileDialog.getSaveFileName(self._page, "Save a picture of the views", str(start), "PNG (*.png)")
        if name and not grid.picture(PICTURE_SCALE).save(name, "PNG"):
            self._context.notice.emit("bad", f"{name}: the picture cannot be written there. Choose another folder.")
        elif name:
            self._context.notice.emit("ok", f"Saved {name}")

    def export_without_patient_data(self) -> None:
        from gui.scans.anonymise import export_without_patient_data

        export_without_patient_data(self._context, self._page.volume, self._page.window())

    def register(self, *, to_template: bool) -> None:
        from gui.scans.registering import ask

        ask(self._context, self._page, to_template=to_template)

    def save_registered(self) -> None:
        from gui.scans.registering import save_front

        save_front(self._context, self._page)
