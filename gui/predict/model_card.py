"""The model that will be used: a card with a chooser, and the choice itself, remembered."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QVBoxLayout, QWidget

from gui.context import AppContext
from gui.widgets import label

if TYPE_CHECKING:
    from core.inference.package import AnyPackage, ModelPackage

CHOSEN_KEY = "predict/model"
USUAL = "hippocampus"


class ModelChoice(QObject):
    """The packages that scans can be predicted with, and the one chosen; one for the whole window.

    They are looked for just after the window is up; until then `loaded` is False and there are none. `every` has those
    of all tasks.
    """

    changed = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._context = context
        self.packages: list[ModelPackage] = []
        self.every: list[AnyPackage] = []
        self.loaded = False
        context.models_changed.connect(self.reload)
        QTimer.singleShot(0, self.reload)

    @property
    def current(self) -> ModelPackage | None:
        """The package that was chosen; until one is, the program's own usual one, whatever was imported since."""
        chosen = self._context.settings.value(CHOSEN_KEY, "")
        usual = [p for p in self.packages if p.bundled and p.name == USUAL]
        return next(chain((p for p in self.packages if key(p) == chosen), usual, self.packages), None)

    def choose(self, package_key: str) -> None:
        self._context.settings.setValue(CHOSEN_KEY, package_key)
        self.changed.emit()

    def find(self, name: str, version: str) -> ModelPackage | None:
        return next((p for p in self.packages if (p.name, p.version) == (name, version)), None)

    def find_any(self, name: str, version: str) -> AnyPackage | None:
        """As `find`, among the models of every task."""
        return next((p for p in self.every if (p.name, p.version) == (name, version)), None)

    def reload(self) -> None:
        from core.inference.kinds import list_models  # brings pydantic: not before the window shows
        from core.inference.package import ModelPackage

        self.every, self.loaded = list_models(), True
        self.packages = [package for package in self.every if isinstance(package, ModelPackage)]
        self.changed.emit()


def choice_of(context: AppContext) -> ModelChoice:
    """The window's one choice, made when first asked for."""
    found = context.findChild(ModelChoice)
    return found if isinstance(found, ModelChoice) else ModelChoice(context)


def key(package: AnyPackage) -> str:
    """What `find_model` finds just this version by."""
    return f"{package.name}-{package.version}"


class ModelChooser(QComboBox):
    """A list of the models by title, bound to the choice."""

    def __init__(self, choice: ModelChoice, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("Model to predict with")
        self.setToolTip("Model to predict with")
        self._choice = choice
        choice.changed.connect(self._fill)
        self.activated.connect(lambda: choice.choose(self.currentData()))
        self._fill()

    def _fill(self) -> None:
        self.blockSignals(True)
        self.clear()
        for package in self._choice.packages:
            self.addItem(title(package), key(package))
        current = self._choice.current
        self.setCurrentIndex(self.findData(key(current)) if current else -1)
        self.blockSignals(False)


class ModelCard(QFrame):
    """Title, one line of figures, and a warning where the model was trained on simulated data."""

    def __init__(self, choice: ModelChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("model-card")
        self.setAccessibleName("Chosen model")
        self._choice = choice
        self._title = label("", "strong", wrap=True)
        self.summary = label("", "dim", wrap=True)
        self.simulated = label("! Trained on simulated data", "warn", wrap=True)
        self._chooser = ModelChooser(choice, "model-chooser")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(4)
        for widget in (self._title, self._chooser, self.summary, self.simulated):
            column.addWidget(widget)
        choice.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        package = self._choice.current
        self.setVisible(package is not None)
        if package is None:
            return
        several = len(self._choice.packages) > 1
        self._title.setText(title(package))
        self._title.setVisible(not several)
        self._chooser.setVisible(several)
        self.summary.setText(package.summary)
        self.simulated.setVisible(simulated(package))


def title(package: AnyPackage) -> str:
    return f"{package.title} {package.version}"


def task_of(package: AnyPackage) -> str:
    """The name of the task that a package is of."""
    return str(package.as_dict().get("task", ""))


def simulated(package: AnyPackage) -> bool:
    """Whether a model was trained on simulated data, which its every result has to say."""
    told = package.as_dict()
    training = told.get("training")
    return bool(told.get("simulated") or (isinstance(training, dict) and training.get("simulated")))
