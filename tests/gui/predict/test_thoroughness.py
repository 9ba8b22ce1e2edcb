"""The predict panel's choices say what they cost, and are shown only where there is a choice."""

from __future__ import annotations

from types import SimpleNamespace

from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from gui.predict.thoroughness import Thoroughness


class Choice(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.current: object = None

    def take(self, name: str, members: int, axes: list[str]) -> None:
        manifest = SimpleNamespace(members=[None] * (members - 1) or None, mirror_axes=axes)
        self.current = SimpleNamespace(name=name, version="1.0", manifest=manifest)
        self.changed.emit()


def test_costs_are_said_and_choices_start_anew_with_each_model(qtbot: QtBot) -> None:
    choice = Choice()
    shown = Thoroughness(choice)  # type: ignore[arg-type]
    qtbot.addWidget(shown)
    assert shown.isHidden()
    choice.take("five", 5, ["x", "y", "z"])
    assert not shown.isHidden()
    texts = [shown._networks.itemText(0), shown._mirror.itemText(1)]
    assert texts == ["All 5: 5 × the time of one", "Always: 8 × slower"]
    assert shown.members is None and shown.mirror is None
    shown._networks.setCurrentIndex(1)
    shown._mirror.setCurrentIndex(2)
    assert shown.members == 1 and shown.mirror is False
    choice.changed.emit()
    assert shown.members == 1
    choice.take("plain", 1, [])
    assert shown.isHidden() and shown.members is None and shown.mirror is None
