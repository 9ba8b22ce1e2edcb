"""Making a model package of a run, as a job, and saying where the model is then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from core.catalog import RunRow
from core.control import JobControl
from gui.context import AppContext
from gui.widgets.cards import sign
from gui.widgets.controls import button, tool_button
from gui.widgets.labels import label


class Publisher(QObject):
    """Publishes runs one at a time; `bar` tells of the last one and leads to the models."""

    changed = Signal()
    published = Signal(object)  # core.inference.package.ModelPackage

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self.busy = False
        self._package: Any = None
        self.bar = QFrame()
        self.bar.setObjectName("published")
        self.bar.setProperty("role", "notice")
        self.bar.setProperty("level", "ok")
        self._text = label("", wrap=True)
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(sign("ok"))
        row.addWidget(self._text, 1)
        row.addWidget(button("Show the model", "show-models", lambda: context.model_requested.emit(self._package)))
        row.addWidget(tool_button("close", "published-close", "Close this notice", self.hide))
        self.bar.hide()

    def publish(self, run: RunRow) -> None:
        """Publish a run's best checkpoint."""

        def work(control: JobControl) -> Any:
            from core.inference import kinds
            from core.inference.publish import publish

            kind = kinds.kind_of(run.task)
            return publish(run.id, control=control) if kind is None else kind.publish(run, control=control)

        self._begin(run.name, work)

    def publish_ensemble(self, group_id: str, name: str) -> None:
        """Publish a cross-validation as one model."""

        def work(control: JobControl) -> Any:
            from core.inference.ensemble import publish_ensemble
            from core.inference.kinds import kind_of_group

            found = kind_of_group(group_id)
            if found is None:
                return publish_ensemble(group_id, control=control)
            kind, group = found
            return kind.publish_folds(group, control=control)

        self._begin(name, work)

    def _begin(self, name: str, work: Callable[[JobControl], Any]) -> None:
        if self.busy:
            return
        self.busy = True
        self.hide()
        job = self._context.jobs.run(f"Publishing {name}", work, done=self._done)
        job.ended.connect(self._ended)
        self.changed.emit()

    def hide(self) -> None:
        self.bar.hide()

    def _done(self, package: Any) -> None:
        self._text.setText(f"Published as {package.name}, version {package.version}. It is among the models now.")
        self.bar.setAccessibleName(self._text.text())
        self._package = package
        self.bar.show()
        self._context.models_changed.emit()
        self.published.emit(package)

    def _ended(self) -> None:
        self.busy = False
        self.changed.emit()
