"""A model's facts and its card, shown without running or fetching anything they name."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextDocument, QTextFormat, QTextOption, QTextTable
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGridLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from core import registry
from core.inference.package import AnyPackage, ModelPackage
from gui.metric_names import metric_name
from gui.predict.results import HEAD_PX, ROW_PX, swatch, tabular
from gui.theme import theme
from gui.theme.structures import structure_colours
from gui.theme.tokens import BODY_PX, GRID, SMALL_PX, TITLE_PX
from gui.widgets import label, section

MARKDOWN = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
WIDE_COLUMNS = 5  # tables with more have small type


class CardText(QTextEdit):
    """A card's Markdown as text: no HTML, no pictures, no links to follow."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("model-card-text")
        self.setAccessibleName("Model card")
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)  # no word of a table is cut in two
        self._card = ""
        theme().changed.connect(self._redraw)

    def loadResource(self, _kind: int, _name: QUrl) -> Any:
        return None  # a card may name pictures anywhere: none is fetched

    def show_card(self, card: str) -> None:
        self._card = card
        self.document().setMarkdown(card or "This model has no card.", MARKDOWN)
        self._set_type()

    def _redraw(self) -> None:
        self.show_card(self._card)

    def _drop_pictures(self) -> None:
        """Take out the places of pictures, which would show a broken one."""
        place = self.document().find("\N{OBJECT REPLACEMENT CHARACTER}")
        while not place.isNull():
            place.removeSelectedText()
            place = self.document().find("\N{OBJECT REPLACEMENT CHARACTER}", place)

    def _set_type(self) -> None:
        """The window's type scale and spacing in place of the toolkit's large headings and white table lines."""
        document = self.document()
        self._drop_pictures()
        block = document.begin()
        while block.isValid():
            cursor, level = QTextCursor(block), block.blockFormat().headingLevel()
            spacing = block.blockFormat()
            if level:
                type_ = QTextCharFormat()
                type_.setProperty(QTextFormat.Property.FontSizeAdjustment, 0)
                type_.setProperty(QTextFormat.Property.FontPixelSize, TITLE_PX if level == 1 else BODY_PX)
                cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
                cursor.mergeCharFormat(type_)
                spacing.setTopMargin(0 if level == 1 else 4 * GRID)
                spacing.setBottomMargin(GRID)
            elif cursor.currentTable() is None:
                spacing.setTopMargin(0)
                spacing.setBottomMargin(2 * GRID)
            cursor.setBlockFormat(spacing)
            block = block.next()
        for frame in document.rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setBorderBrush(theme().color("line"))
                form.setBorderCollapse(True)
                wide = frame.columns() > WIDE_COLUMNS
                form.setCellPadding(GRID - 1 if wide else GRID + 2)
                form.setTopMargin(GRID)
                frame.setFormat(form)
                if wide:
                    cells = frame.firstCursorPosition()
                    cells.setPosition(frame.lastCursorPosition().position(), QTextCursor.MoveMode.KeepAnchor)
                    small = QTextCharFormat()
                    small.setProperty(QTextFormat.Property.FontPixelSize, SMALL_PX - 1)
                    cells.mergeCharFormat(small)


class ModelFacts(QWidget):
    """How well the model does (each structure's Dice, or its figures), and what it takes, as its manifest states."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heads = ["Structure", "Label", "Dice, mean ± SD"]
        self.structures = _table(heads, "model-structures", "Structures with their Dice")
        head = self.structures.horizontalHeader()
        for column, width in ((1, 56), (2, 134)):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.structures.setColumnWidth(column, width)
        self._measured = label("", "small", wrap=True)
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(16)
        self._facts.setVerticalSpacing(8)
        self._facts.setColumnStretch(1, 1)
        column_of_parts = QVBoxLayout(self)
        column_of_parts.setContentsMargins(0, 0, 0, 0)
        column_of_parts.setSpacing(8)
        self._head = section("Structures")
        self.figures = _table(["Figure", "Value"], "model-figures", "Figures of the model")
        column_of_parts.addWidget(self._head)
        column_of_parts.addWidget(self.structures)
        column_of_parts.addWidget(self.figures)
        column_of_parts.addWidget(self._measured)
        column_of_parts.addSpacing(12)
        column_of_parts.addWidget(section("Facts"))
        column_of_parts.addLayout(self._facts)
        column_of_parts.addStretch(1)

    def show_package(self, package: AnyPackage) -> None:
        of_scans = isinstance(package, ModelPackage)
        self._head.setText("STRUCTURES" if of_scans else "FIGURES")
        self.structures.setVisible(of_scans)
        self.figures.setVisible(not of_scans)
        if isinstance(package, ModelPackage):
            self._fill_structures(package)
        else:
            self._fill_figures(package)
        while (item := self._facts.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for row, (name, text) in enumerate(facts(package)):
            said = label(text, wrap=True)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for column, widget in enumerate((label(name, "dim"), said)):
                self._facts.addWidget(widget, row, column, Qt.AlignmentFlag.AlignTop)

    def _fill_structures(self, package: ModelPackage) -> None:
        training, labels = package.manifest.training, package.plan.labels
        colours = structure_colours({"label": one.value, "name": one.name} for one in labels)
        self.structures.setRowCount(len(labels))
        figures = tabular(self.structures.font())
        for at, one in enumerate(labels):
            dice = training.dice.get(one.name)
            measured = f"{dice.mean:.3f} ± {dice.sd:.3f}" if dice else "not measured"
            items = [QTableWidgetItem(swatch(colours[one.value]), one.name)]
            items += [QTableWidgetItem(text) for text in (str(one.value), measured)]
            for column, item in enumerate(items):
                if column:
                    item.setFont(figures)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.structures.setItem(at, column, item)
            self.structures.setRowHeight(at, ROW_PX)
        self.structures.setFixedHeight(HEAD_PX + ROW_PX * min(len(labels), 8) + 2)
        part = "train" if training.measured_on == "folds" else training.measured_on
        cases = training.cases.get(part, 0)
        what = {"val": "validation", "test": "test", "folds": "left-out"}[training.measured_on]
        self._measured.setText(f"Over {cases} {what} cases, on their own grids." if training.dice and cases else "")
        self._measured.setVisible(bool(self._measured.text()))

    def _fill_figures(self, package: AnyPackage) -> None:
        training = training_of(package)
        found = training.get("figures")
        known = {name: value for name, value in found.items() if isinstance(value, int | float)} if found else {}
        self.figures.setRowCount(len(known))
        font = tabular(self.figures.font())
        for at, (name, value) in enumerate(known.items()):
            self.figures.setItem(at, 0, QTableWidgetItem(metric_name(name)))
            item = QTableWidgetItem(f"{value:.3f}")
            item.setFont(font)
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.figures.setItem(at, 1, item)
            self.figures.setRowHeight(at, ROW_PX)
        self.figures.setFixedHeight(HEAD_PX + ROW_PX * min(len(known), 10) + 2)
        part = str(training.get("measured_on", ""))
        counts = training.get("cases") if isinstance(training.get("cases"), dict) else {}
        cases = counts.get("train" if part == "folds" else part, 0)
        what = {"val": "validation", "test": "test", "folds": "left-out"}.get(part, "")
        self._measured.setText(f"Over {cases:,} {what} cases." if known and cases and what else "")
        self._measured.setVisible(bool(self._measured.text()))


def _table(heads: list[str], name: str, accessible: str) -> QTableWidget:
    """A table of figures that takes no focus; its first column takes the room there is."""
    table = QTableWidget(0, len(heads))
    table.setObjectName(name)
    table.setAccessibleName(accessible)
    table.setHorizontalHeaderLabels(heads)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    head = table.horizontalHeader()
    head.setFixedHeight(HEAD_PX)
    head.setHighlightSections(False)
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in range(len(heads)):
        side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
        table.horizontalHeaderItem(column).setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return table


def training_of(package: AnyPackage) -> dict[str, Any]:
    """What a package's manifest says of its training."""
    training = package.as_dict().get("training")
    return training if isinstance(training, dict) else {}


# How a model is used, by the kind of data that its task takes: the words on the button and the page they lead to.
USES = {
    "table": ("Predict a table", "tables"),
    "cohort": ("Predict a subject", "risk"),
    "stays": ("Predict a stay", "stays"),
}


def use_of(package: AnyPackage) -> tuple[str, str]:
    """The words for using a model, and the page where it is used; no page for one that scans are predicted with.

    What answers nothing by itself is what another training begins with.
    """
    if isinstance(package, ModelPackage):
        return "Predict with this", ""
    part: Any = registry.parts("task").get(str(package.as_dict().get("task", "")))
    kind = part.kind_of_model() if part is not None else None
    if kind is None or not kind.predicts:
        return "Train from this", "train"
    return USES.get(part.data_kind, ("Train from this", "train"))


def facts(package: AnyPackage) -> list[tuple[str, str]]:
    """What the model takes and where it comes from, as (name, text)."""
    return _facts_of_scans(package) if isinstance(package, ModelPackage) else _facts_of_others(package)


def _facts_of_others(package: AnyPackage) -> list[tuple[str, str]]:
    told, training = package.as_dict(), training_of(package)
    network, plan = told.get("network"), told.get("plan")
    outcome = plan.get("outcome") if isinstance(plan, dict) else None
    coding = plan.get("coding") if isinstance(plan, dict) else None
    cases = training.get("cases")
    inputs = sum(len(coding.get(part, [])) for part in ("numbers", "words")) if isinstance(coding, dict) else 0
    rows = [
        ("Predicts", str(outcome.get("column", "")) if isinstance(outcome, dict) else ""),
        ("Outcomes", ", ".join(map(str, outcome.get("classes", []))) if isinstance(outcome, dict) else ""),
        ("Inputs", f"{inputs} columns" if inputs else ""),
        ("Network", str(network.get("name", "")) if isinstance(network, dict) else ""),
        ("Trained on", str(training.get("data", ""))),
        ("Cases", " · ".join(f"{n:,} {part}" for part, n in cases.items() if n) if isinstance(cases, dict) else ""),
        ("Licence", str(training.get("licence") or "Not stated")),
        ("Use", str(told.get("intended_use", ""))),
        ("Not for", str(told.get("forbidden_use", ""))),
        ("Run", str(training.get("run", ""))),
        ("Folder", str(package.folder)),
    ]
    return [(name, text) for name, text in rows if text]


def _facts_of_scans(package: ModelPackage) -> list[tuple[str, str]]:
    manifest, plan, training = package.manifest, package.plan, package.manifest.training
    cases = " · ".join(f"{count} {part}" for part, count in training.cases.items() if count)
    rows = [
        ("Input", " ".join(filter(None, ("One", plan.modality, "volume")))),
        ("Voxels", "As they are" if package.any_voxels else " × ".join(f"{s:g}" for s in plan.spacing_mm) + " mm"),
        ("Window", " × ".join(map(str, plan.patch_size)) + " voxels"),
        ("Network", str(manifest.network.get("network") or manifest.network.get("name", ""))),
        ("Whole heads", "In template space, both sides" if manifest.whole_head else ""),
        ("Trained on", training.data),
        ("Cases", cases),
        ("Licence", training.licence or "Not stated"),
        ("Run", training.run),
        ("Folder", str(package.folder)),
    ]
    return [(name, text) for name, text in rows if text]
