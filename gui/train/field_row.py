"""A line of the form: a field's label, its editor, and under it what is wrong."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gui.train.field_messages import message_for
from gui.train.fields import Editor
from gui.widgets.labels import label

LABEL_WIDTH = 108


class Row(QWidget):
    """A field's label, its editor, and under it what is wrong."""

    def __init__(self, key: str, title: str, tip: str, editor: Editor) -> None:
        super().__init__()
        self.key, self.editor = key, editor
        name = label(title, "dim")
        if not editor.wide:
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
        across = QVBoxLayout(self) if editor.wide else QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(4 if editor.wide else 12)
        across.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(right, 1)
        if not editor.wide:
            name.setMinimumHeight(editor.sizeHint().height())

    def show_problems(self, problems: dict[str, str]) -> bool:
        text = message_for(problems, self.key, length=self.editor.length)
        if text != self.message.text():
            self.message.setText(text)
            self.editor.set_wrong(bool(text))
        self.message.setVisible(bool(text))
        return bool(text)
