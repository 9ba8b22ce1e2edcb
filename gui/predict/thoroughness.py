"""How thoroughly to predict: how many networks, mirrored or not, all over or where it matters; what each costs."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QWidget

from gui.predict.model_card import ModelChoice, key
from gui.widgets import label


class Thoroughness(QWidget):
    """Three lists, each shown only where the chosen model leaves a choice. It starts anew with every model."""

    def __init__(self, choice: ModelChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("thoroughness")
        self._choice = choice
        self._shown = ""
        self._networks = _list("predict-members", "Networks to predict with")
        self._mirror = _list("predict-mirror", "Mirroring")
        self._region = _list("predict-roi", "Where to look closely in a wide scan")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.addRow(label("Networks", "dim"), self._networks)
        self._form.addRow(label("Mirroring", "dim"), self._mirror)
        self._form.addRow(label("Wide scans", "dim"), self._region)
        choice.changed.connect(self._fill)
        self._fill()

    @property
    def members(self) -> int | None:
        """How many networks of an ensemble; None: all."""
        chosen: int | None = self._networks.currentData()
        return chosen

    @property
    def mirror(self) -> bool | str | None:
        """Whether to average over mirrorings; None: where that is cheap; or a few of them where the structures are."""
        chosen: bool | str | None = self._mirror.currentData()
        return chosen

    @property
    def roi(self) -> bool | None:
        """Whether a wide scan is looked at coarsely first; None: where that is safe."""
        chosen: bool | None = self._region.currentData()
        return chosen

    def _fill(self) -> None:
        package = self._choice.current
        name = key(package) if package is not None else ""
        if name == self._shown:
            return
        self._shown = name
        from core.inference import cost, region_first
        from core.inference.mirroring import SHARED

        wide = package is not None and package.manifest.whole_head is None  # crops of a whole head are small
        count, turns = (1, 1) if package is None else (cost.members(package), cost.mirrorings(package))
        self._networks.clear()
        self._networks.addItem(f"All {count}: {count} × the time of one", None)
        self._networks.addItem("The first only: fastest", 1)
        self._mirror.clear()
        self._mirror.addItem("Small scans only", None)
        if package is not None and wide:
            self._mirror.addItem(f"Where structures are: up to {cost.at_most(package)} × slower", SHARED)
        self._mirror.addItem(f"Always: {turns} × slower", True)
        self._mirror.addItem("Never: fastest", False)
        self._region.clear()
        if package is not None and wide and region_first.safe(package.plan):
            self._region.addItem("Structures only", None)
            self._region.addItem("Closely everywhere", False)
        else:
            self._region.addItem("Closely everywhere", None)
            self._region.addItem("Where something was seen: fastest, may miss what is tiny", True)
        for one in (self._networks, self._mirror, self._region):
            one.view().setMinimumWidth(one.view().sizeHintForColumn(0) + 24)
        for row, shown in enumerate((count > 1, turns > 1, wide)):
            self._form.setRowVisible(row, shown)
        self.setVisible(count > 1 or turns > 1 or wide)


def _list(name: str, accessible: str) -> QComboBox:
    made = QComboBox()
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    # Long choices are cut, rather than the figures below them: the panel would be wider than its place.
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(10)
    made.view().setTextElideMode(Qt.TextElideMode.ElideNone)
    made.currentTextChanged.connect(made.setToolTip)
    return made
