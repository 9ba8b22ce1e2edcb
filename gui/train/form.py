"""A form made from a pydantic class: a section for each block, the fields most used first, the rest under More."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.registry import in_full
from gui.train.field_messages import message_for
from gui.train.fields import ChoiceEditor, Editor, make_editor
from gui.widgets.labels import label, section

# The fields a person sets most, by block; a block not named here shows its first two. The rest is under More.
FIRST: dict[str, tuple[str, ...]] = {
    "": ("name",),
    "data": ("path", "val_fraction", "patch_size"),
    "optimizer": ("lr", "weight_decay"),
    "scheduler": ("warmup", "patience", "every", "gamma", "power", "final"),
    "trainer": ("epochs", "batch_size", "max_minutes"),
    "task": ("loss",),
}
ORDER = ("", "data", "model", "optimizer", "scheduler", "trainer", "task")
LABEL_WIDTH = 108

MakeEditor = Callable[[], Editor]


class Row(QWidget):
    """A field's label, its editor, and under it what is wrong."""

    def __init__(self, key: str, title: str, tip: str, editor: Editor) -> None:
        super().__init__()
        self.key, self.editor = key, editor
        name = label(title, "dim")
        name.setFixedWidth(LABEL_WIDTH)
        name.setWordWrap(True)
        name.setToolTip(tip)
        name.setBuddy(editor)
        editor.name_as(key, title, tip)
        self.message = label("", "bad")
        self.message.setObjectName(f"message:{key}")
        self.message.setWordWrap(True)
        self.message.hide()
        right = QVBoxLayout()
        right.setSpacing(4)
        right.addWidget(editor)
        right.addWidget(self.message)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(12)
        across.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(right, 1)
        name.setMinimumHeight(editor.sizeHint().height())

    def show_problems(self, problems: dict[str, str]) -> bool:
        text = message_for(problems, self.key, length=self.editor.length)
        if text != self.message.text():
            self.message.setText(text)
            self.editor.set_wrong(bool(text))
        self.message.setVisible(bool(text))
        return bool(text)


class BlockForm(QWidget):
    """The fields of one block. Its value is a plain dict; keys it does not know are kept and said to be wrong."""

    changed = Signal()

    def __init__(
        self,
        part: type[BaseModel],
        key: str = "",
        *,
        custom: Mapping[str, MakeEditor] | None = None,
        skip: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.key = key
        self.rows: dict[str, Row] = {}
        self.blocks: dict[str, BlockForm | UnionForm] = {}
        self.defaults: dict[str, Any] = {}
        self._extras: dict[str, Any] = {}
        self._foreign: Any = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.message = label("", "bad")
        self.message.setObjectName(f"message:{key or 'experiment'}")
        self.message.setWordWrap(True)
        self.message.hide()
        self._column.addWidget(self.message)
        self.rest = QWidget()
        self._rest_column = QVBoxLayout(self.rest)
        self._rest_column.setContentsMargins(0, 0, 0, 0)
        self._rest_column.setSpacing(8)
        self._build(part, custom or {}, skip)

    def _build(self, part: type[BaseModel], custom: Mapping[str, MakeEditor], skip: tuple[str, ...]) -> None:
        fields = {name: field for name, field in part.model_fields.items() if name not in skip}
        simple = [name for name, field in fields.items() if not block_types(field)]
        first = [name for name in FIRST.get(self.key, simple[:2]) if name in simple]
        for name in [*first, *(name for name in simple if name not in first)]:
            column = self._column if name in first else self._rest_column
            column.addWidget(self._add_row(name, fields[name], custom))
        for name, field in fields.items():
            if kinds := block_types(field):
                self._add_block(name, field, kinds, custom)
        if self._rest_column.count():
            self.more = QToolButton()
            self.more.setText("More")
            self.more.setObjectName(f"more:{self.key or 'experiment'}")
            self.more.setAccessibleName(f"More settings of {self.key or 'the run'}")
            self.more.setCheckable(True)
            self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self.more.setArrowType(Qt.ArrowType.RightArrow)
            self.more.setProperty("role", "quiet")
            self.more.setStyleSheet("padding: 2px 8px 2px 0;")  # its arrow stands under the labels
            self.more.toggled.connect(self._unfold)
            self._column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
            self._column.addWidget(self.rest)
        self.rest.setParent(self)
        self.rest.hide()

    def _add_row(self, name: str, field: FieldInfo, custom: Mapping[str, MakeEditor]) -> Row:
        key = f"{self.key}.{name}".lstrip(".")
        self.defaults[name] = default_of(field)
        tip = field.description or ""
        editor = custom[key]() if key in custom else make_editor(field.annotation, tip)
        editor.set_value(self.defaults[name])
        editor.changed.connect(self._edited)
        self.rows[name] = Row(key, field.title or title_of(name), tip, editor)
        return self.rows[name]

    def _add_block(
        self, name: str, field: FieldInfo, kinds: list[type[BaseModel]], custom: Mapping[str, MakeEditor]
    ) -> None:
        key = f"{self.key}.{name}".lstrip(".")
        self.defaults[name] = default_of(field)
        named = all(
            "name" in kind.model_fields and get_origin(kind.model_fields["name"].annotation) is Literal
            for kind in kinds
        )
        block = UnionForm(kinds, key, custom) if named else BlockForm(kinds[0], key, custom=custom)
        block.set_value(self.defaults[name])
        block.changed.connect(self._edited)
        self.blocks[name] = block
        # The blocks of the whole experiment become sections, placed by ExperimentForm.
        if self.key:
            column = self._column if name in FIRST.get(self.key, ()) else self._rest_column
            column.addWidget(section(field.title or title_of(name)))
            column.addWidget(block)

    def _unfold(self, unfolded: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.rest.setVisible(unfolded)

    def _edited(self) -> None:
        self._foreign = None
        self.changed.emit()

    def value(self) -> Any:
        if self._foreign is not None:
            return self._foreign
        own = {name: row.editor.value() for name, row in self.rows.items()}
        return {**own, **{name: block.value() for name, block in self.blocks.items()}, **self._extras}

    def set_value(self, tree: Any) -> None:
        """Show a plain tree; what it leaves out takes its default. No `changed`."""
        self._foreign = None if isinstance(tree, Mapping) else tree
        known: Mapping[str, Any] = tree if isinstance(tree, Mapping) else {}
        for name, row in self.rows.items():
            row.editor.set_value(known.get(name, self.defaults[name]))
        for name, block in self.blocks.items():
            default = self.defaults[name]
            value = known.get(name, default)
            if isinstance(default, Mapping) and "name" in default:
                value = in_full(value, default["name"])
            block.set_value(value)
        self._extras = {name: value for name, value in known.items() if name not in self.defaults}

    def show_problems(self, problems: dict[str, str]) -> bool:
        """Put each message under its field; True if there was one. A hidden field with a message is unfolded."""
        wrong_rows = [row for row in self.rows.values() if row.show_problems(problems)]
        wrong_blocks = [block for block in self.blocks.values() if block.show_problems(problems)]
        own = [f"{name}: {text}" for name in self._extras if (text := problems.get(f"{self.key}.{name}".lstrip(".")))]
        if self.key in problems:
            own.append(problems[self.key])
        self.message.setText("\n".join(own))
        self.message.setVisible(bool(own))
        if any(self.rest.isAncestorOf(widget) for widget in [*wrong_rows, *wrong_blocks]):
            self.more.setChecked(True)
        return bool(wrong_rows or wrong_blocks or own)


class UnionForm(QWidget):
    """A choice between parts by their name, with the form of the chosen one; the others keep what was typed."""

    changed = Signal()

    def __init__(self, kinds: list[type[BaseModel]], key: str, custom: Mapping[str, MakeEditor]) -> None:
        super().__init__()
        self.key = key
        self._custom = custom
        self._kinds = {kind.model_fields["name"].default: kind for kind in kinds}
        self._forms: dict[str, BlockForm] = {}
        self._foreign: Any = None
        self.choice = ChoiceEditor(list(self._kinds))
        for index, kind in enumerate(kinds):
            self.choice.combo.setItemData(index, kind.__doc__ or "", Qt.ItemDataRole.ToolTipRole)
        self.choice.changed.connect(self._chosen)
        self.row = Row(key, "Type", "", self.choice)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(self.row)
        self._show(self.choice.value())

    @property
    def form(self) -> BlockForm | None:
        """The chosen part's form; None where the tree names a part that there is not."""
        return self._forms.get(self.choice.value())

    def _show(self, name: Any) -> None:
        if name in self._kinds and name not in self._forms:
            form = BlockForm(self._kinds[name], self.key, custom=self._custom, skip=("name",))
            form.changed.connect(self._edited)
            self._forms[name] = form
            self._column.addWidget(form)
        for other, form in self._forms.items():
            form.setVisible(other == name)
        kind = self._kinds.get(name)
        self.choice.combo.setToolTip((kind.__doc__ or "") if kind else "")

    def _chosen(self) -> None:
        self._show(self.choice.value())
        self._edited()

    def _edited(self) -> None:
        self._foreign = None
        self.changed.emit()

    def value(self) -> Any:
        if self._foreign is not None or self.form is None:
            return self._foreign if self._foreign is not None else {"name": self.choice.value()}
        return {"name": self.choice.value(), **self.form.value()}

    def set_value(self, tree: Any) -> None:
        name = tree.get("name") if isinstance(tree, Mapping) else None
        if isinstance(tree, Mapping) and name is None and len(self._kinds) == 1:
            name = next(iter(self._kinds))
        self._foreign = None
        self.choice.set_value(name)
        self._show(name)
        if self.form is None:
            self._foreign = tree
        else:
            self.form.set_value({key: value for key, value in tree.items() if key != "name"})

    def show_problems(self, problems: dict[str, str]) -> bool:
        inner = self.form.show_problems({k: v for k, v in problems.items() if k != self.key}) if self.form else False
        return self.row.show_problems({self.key: problems[self.key]} if self.key in problems else {}) or inner


class ExperimentForm(QWidget):
    """The whole experiment, a section for each block."""

    changed = Signal()

    def __init__(self, part: type[BaseModel], *, custom: Mapping[str, MakeEditor] | None = None) -> None:
        super().__init__()
        self.setObjectName("experiment-form")
        self._planned: set[str] = set()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.root = BlockForm(part, custom=custom)
        self.root.changed.connect(self.changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        names = [
            *(name for name in ORDER if name in self.root.blocks),
            *(n for n in self.root.blocks if n not in ORDER),
        ]
        titles: dict[str, QLabel] = {}
        column.addWidget(self.root)
        for name in names:
            titles[name] = section(part.model_fields[name].title or title_of(name))
            titles[name].setContentsMargins(0, 12, 0, 0)
            column.addWidget(titles[name])
            column.addWidget(self.root.blocks[name])
        column.addStretch(1)

    def tree(self) -> dict[str, Any]:
        value = self.root.value()
        return value if isinstance(value, dict) else {}

    def set_tree(self, tree: Mapping[str, Any]) -> None:
        self.root.set_value(tree)

    def show_problems(self, problems: dict[str, str]) -> None:
        self.root.show_problems(problems)

    def show_planned(self, values: Mapping[str, str]) -> None:
        """Say in the empty fields at these dotted keys what is planned; every other one of before is put back."""
        for key in self._planned - values.keys():
            if (editor := self.editor(key)) is not None:
                editor.show_planned("")
        for key, text in values.items():
            if (editor := self.editor(key)) is not None:
                editor.show_planned(text)
        self._planned = set(values)

    def add_below(self, block: str, name: str, widget: QWidget) -> None:
        """Put a widget of another kind under a field of a top-level block."""
        form = self.root.blocks[block]
        if isinstance(form, BlockForm):
            column = form.rows[name].parentWidget().layout()
            if isinstance(column, QVBoxLayout):
                column.insertWidget(column.indexOf(form.rows[name]) + 1, widget)

    def editor(self, key: str) -> Editor | None:
        """The editor at a dotted key, such as `optimizer.lr`; None for one that is not shown."""
        *parents, last = key.split(".")
        block: BlockForm | UnionForm | None = self.root
        for parent in parents:
            inner = block.form if isinstance(block, UnionForm) else block
            block = inner.blocks.get(parent) if inner else None
        if isinstance(block, UnionForm):
            if last == "name":
                return block.choice
            block = block.form
        return block.rows[last].editor if block and last in block.rows else None


def block_types(field: FieldInfo) -> list[type[BaseModel]]:
    """The parts a field may hold: several for a union, none for a plain value."""
    annotation = field.annotation
    members = [member for member in get_args(annotation) if member is not NoneType] or [annotation]
    return (
        [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
        if get_origin(annotation) not in (list, tuple)
        else []
    )


def default_of(field: FieldInfo) -> Any:
    """A field's default as YAML holds it; an empty text where a value must be given."""
    return "" if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def title_of(name: str) -> str:
    return name.replace("_", " ").capitalize()
