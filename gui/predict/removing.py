"""Deleting past predictions in jobs, with a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core.control import JobControl
from gui.context import AppContext
from gui.widgets.trash_bar import TrashBar

if TYPE_CHECKING:
    from core.catalog import PredictionRow

STAY = "Files in folders of your own stay there."


class RemovedBar(TrashBar):
    """Deletes predictions when told to, says so, and brings them back on Undo."""

    removed = Signal(object)  # set of ids

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__("predictions-", parent)
        self._context = context
        self.undone.connect(self._bring_back)

    def remove(self, rows: list[PredictionRow], what: str) -> None:
        """Move predictions to the trash, with the files that the program keeps of them. `what`: how they are called."""

        def work(control: JobControl) -> tuple[list[str], bool]:
            from core.catalog import Catalog
            from core.inference.deleting import kept_outside, to_trash

            names = []
            with Catalog() as catalog:
                for number, row in enumerate(rows):
                    control.progress(number / len(rows), f"Deleting {what}")
                    names.append(to_trash(catalog, row.id))
            return names, any(map(kept_outside, rows))

        def done(found: tuple[list[str], bool]) -> None:
            from core.catalog.records import TRASH_DAYS

            names, outside = found
            self.removed.emit({row.id for row in rows})
            self.offer(what, TRASH_DAYS, names, STAY if outside else "")

        job = self._context.jobs.run("Deleting predictions", work, done=done)
        job.ended.connect(self._context.predictions_changed)

    def _bring_back(self, names: list[str]) -> None:
        def work(_control: JobControl) -> None:
            from core.catalog import Catalog
            from core.inference.deleting import from_trash

            with Catalog() as catalog:
                for name in reversed(names):
                    from_trash(catalog, name)

        job = self._context.jobs.run("Putting predictions back", work)
        job.ended.connect(self._context.predictions_changed)
