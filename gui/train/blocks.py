"""The form of one block of the schema, of a choice among parts, and of a block that may be off.

What stands under More has no editors until it is unfolded: its values are kept as they are, so that a page with
hundreds of fields is up at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QToolButton, QVBoxLayout, QWidget

from core.registry import in_full
from gui.train.columns import column_editor
from gui.train.field_row import Row
from gui.train.fields import ChoiceEditor, Editor, make_editor
from gui.train.run_editor import run_editor
from gui.widgets.labels import label, section

# The fields a person sets most, by block; a block without any of them shows its first two. The rest is under More.
FIRST: dict[str, tuple[str, ...]] = {
    "": ("name",),
    "data": ("path", "target", "group", "leave_out", "columns", "val_fraction", "patch_size"),
    "data.columns": ("target",),
    "optimizer": ("lr", "weight_decay"),
    "scheduler": ("warmup", "patience", "every", "gamma", "power", "final"),
    "trainer": ("epochs", "batch_size", "max_minutes"),
    "task": ("loss", "kind"),
}

MakeEditor = Callable[[], Editor]


class BlockForm(QWidget):
    """The fields of one block. Its value is a plain dict; keys it does not know are kept and said to be wrong."""

    changed = Signal()
    grown = Signal()  # there are editors that were not there before

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
        self.blocks: dict[str, AnyBlock] = {}
        self.defaults: dict[str, Any] = {}
        self._custom = custom or {}
        self._waiting: dict[str, FieldInfo] = {}  # the fields under More that have no editor yet
        self._kept: dict[str, Any] = {}  # their values
        self._extras: dict[str, Any] = {}
        self._foreign: Any = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.message = label("", "bad", wrap=True)
        self.message.setObjectName(f"message:{key or 'experiment'}")
        self.message.hide()
        self._column.addWidget(self.message)
        self.rest = QWidget()
        self._rest_column = QVBoxLayout(self.rest)
        self._rest_column.setContentsMargins(0, 0, 0, 0)
        self._rest_column.setSpacing(8)
        self._build(part, skip)

    def _build(self, part: type[BaseModel], skip: tuple[str, ...]) -> None:
        fields = {name: field for name, field in part.model_fields.items() if name not in skip}
        self.defaults = {name: default_of(field) for name, field in fields.items()}
        simple = [name for name, field in fields.items() if not block_types(field)]
        wanted = [name for name in FIRST.get(self.key, ()) if name in fields]
        first = [name for name in wanted if name in simple] if wanted else simple[:2]
        for name in first:
            self._column.addWidget(self._add_row(name, fields[name]))
        for name, field in fields.items():
            if name in first:
                continue
            if name in simple or (self.key and name not in wanted):
                self._waiting[name], self._kept[name] = field, self.defaults[name]
            else:
                self._add_block(name, field, self._column)
        if self._waiting:
            self._add_more()
        self.rest.setParent(self)
        self.rest.hide()

    def _add_more(self) -> None:
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

    def _add_row(self, name: str, field: FieldInfo) -> Row:
        key = f"{self.key}.{name}".lstrip(".")
        tip = field.description or ""
        if key in self._custom:
            editor = self._custom[key]()
        else:
            editor = column_editor(field, tip) or run_editor(field) or make_editor(field.annotation, tip)
        editor.set_value(self.defaults[name])
        editor.changed.connect(self._edited)
        self.rows[name] = Row(key, field.title or title_of(name), tip, editor)
        return self.rows[name]

    def _add_block(self, name: str, field: FieldInfo, column: QVBoxLayout) -> None:
        key = f"{self.key}.{name}".lstrip(".")
        block = make_block(field, key, self._custom)
        block.set_value(self.defaults[name])
        block.changed.connect(self._edited)
        block.grown.connect(self.grown)
        self.blocks[name] = block
        # The blocks of the whole experiment become sections, placed by ExperimentForm.
        if self.key:
            column.addWidget(section(field.title or title_of(name)))
            column.addWidget(block)

    def fill(self) -> None:
        """Make the editors under More, if there are none yet."""
        waiting, self._waiting = self._waiting, {}
        for name, field in waiting.items():
            if block_types(field):
                self._add_block(name, field, self._rest_column)
                self._set(name, self._kept[name])
            else:
                self._rest_column.addWidget(self._add_row(name, field))
                self.rows[name].editor.set_value(self._kept[name])
        self._kept = {}
        if waiting:
            self.grown.emit()

    def _unfold(self, unfolded: bool) -> None:
        if unfolded:
            self.fill()
        self.more.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.rest.setVisible(unfolded)

    def _edited(self) -> None:
        self._foreign = None
        self.changed.emit()

    def value(self) -> Any:
        if self._foreign is not None:
            return self._foreign
        return {**{name: self._value_of(name) for name in self.defaults}, **self._extras}

    def _value_of(self, name: str) -> Any:
        if name in self._waiting:
            return self._kept[name]
        return self.rows[name].editor.value() if name in self.rows else self.blocks[name].value()

    def set_value(self, tree: Any) -> None:
        """Show a plain tree; what it leaves out takes its default. No `changed`."""
        self._foreign = None if isinstance(tree, Mapping) else tree
        known: Mapping[str, Any] = tree if isinstance(tree, Mapping) else {}
        for name, default in self.defaults.items():
            self._set(name, known.get(name, default))
        self._extras = {name: value for name, value in known.items() if name not in self.defaults}

    def _set(self, name: str, value: Any) -> None:
        default = self.defaults[name]
        if isinstance(default, Mapping) and "name" in default:
            nameless = isinstance(value, Mapping) and "name" not in value
            value = {**default, **value} if nameless else in_full(value, default["name"])
        if name in self._waiting:
            self._kept[name] = value
        elif name in self.rows:
            self.rows[name].editor.set_value(value)
        else:
            self.blocks[name].set_value(value)

    def show_problems(self, problems: dict[str, str]) -> bool:
        """Put each message under its field; True if there was one. A hidden field with a message is unfolded."""
        if any(self._concerns(name, key) for name in self._waiting for key in problems):
            self.fill()
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

    def _concerns(self, name: str, key: str) -> bool:
        own = f"{self.key}.{name}".lstrip(".")
        return key == own or key.startswith(f"{own}.")

    def named(self, name: str) -> Editor | AnyBlock | None:
        """The editor or block of a field, made if need be; None where there is no such field."""
        if name in self._waiting:
            self.fill()
        return self.rows[name].editor if name in self.rows else self.blocks.get(name)

    def shown(self, name: str) -> bool:
        """Whether a field has its editor already."""
        return name in self.rows or name in self.blocks


class UnionForm(QWidget):
    """A choice between parts by their name, with the form of the chosen one; the others keep what was typed."""

    changed = Signal()
    grown = Signal()

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
            form.grown.connect(self.grown)
            self._forms[name] = form
            self._column.addWidget(form)
            self.grown.emit()
        for other, form in self._forms.items():
            form.setVisible(other == name)
        kind = self._kinds.get(name)
        self.choice.combo.setToolTip((kind.__doc__ or "") if kind else "")
        self.row.setVisible(len(self._kinds) > 1 or kind is None)  # where there is no choice, none is offered

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

    def named(self, name: str) -> Editor | AnyBlock | None:
        return self.choice if name == "name" else self.form.named(name) if self.form else None

    def shown(self, name: str) -> bool:
        return name == "name" or (self.form is not None and self.form.shown(name))


class OptionalForm(QWidget):
    """A block that may be off: a box, and the block's form once it is ticked. Off is no value at all."""

    changed = Signal()
    grown = Signal()

    def __init__(self, kinds: list[type[BaseModel]], title: str, key: str, custom: Mapping[str, MakeEditor]) -> None:
        super().__init__()
        self.key = key
        self._kinds, self._custom = kinds, custom
        self.form: BlockForm | UnionForm | None = None
        self.box = QCheckBox("Use it")
        self.box.setObjectName(f"use:{key}")
        self.box.setAccessibleName(f"Use {title.lower()}")
        self.box.setToolTip(kinds[0].__doc__ or "")
        self.box.toggled.connect(self._toggled)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(self.box)

    def _made(self) -> BlockForm | UnionForm:
        if self.form is None:
            self.form = block_of(self._kinds, self.key, self._custom)
            self.form.changed.connect(self.changed)
            self.form.grown.connect(self.grown)
            self._column.addWidget(self.form)
            self.grown.emit()
        return self.form

    def _toggled(self, on: bool) -> None:
        if on or self.form is not None:
            self._made().setVisible(on)
        self.changed.emit()

    def value(self) -> Any:
        return self._made().value() if self.box.isChecked() else None

    def set_value(self, tree: Any) -> None:
        with QSignalBlocker(self.box):
            self.box.setChecked(tree is not None)
        if tree is not None:
            self._made().set_value(tree)
        if self.form is not None:
            self.form.setVisible(tree is not None)

    def show_problems(self, problems: dict[str, str]) -> bool:
        return self.form.show_problems(problems) if self.form is not None and self.box.isChecked() else False

    def named(self, name: str) -> Editor | AnyBlock | None:
        return self._made().named(name)

    def shown(self, name: str) -> bool:
        return self.form is not None and self.form.shown(name)


AnyBlock = BlockForm | UnionForm | OptionalForm


def make_block(field: FieldInfo, key: str, custom: Mapping[str, MakeEditor]) -> AnyBlock:
    """The form of a field that holds parts."""
    kinds = block_types(field)
    if NoneType in get_args(field.annotation):
        return OptionalForm(kinds, field.title or title_of(key.rpartition(".")[2]), key, custom)
    return block_of(kinds, key, custom)


def block_of(kinds: list[type[BaseModel]], key: str, custom: Mapping[str, MakeEditor]) -> BlockForm | UnionForm:
    named = all(
        "name" in kind.model_fields and get_origin(kind.model_fields["name"].annotation) is Literal for kind in kinds
    )
    return UnionForm(kinds, key, custom) if named else BlockForm(kinds[0], key, custom=custom)


def block_types(field: FieldInfo) -> list[type[BaseModel]]:
    """The parts a field may hold: several for a union, none for a plain value."""
    annotation = field.annotation
    members = [member for member in get_args(annotation) if member is not NoneType] or [annotation]
    return (
        [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
        if get_origin(annotation) not in (list, tuple, dict)
        else []
    )


def default_of(field: FieldInfo) -> Any:
    """A field's default as YAML holds it; an empty text where a value must be given."""
    return "" if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def title_of(name: str) -> str:
    return name.replace("_", " ").capitalize()
