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

    def take(
        self, name: str, members: int, axes: list[str], whole_head: object = "yes", smallest: int | None = None
    ) -> None:
        manifest = SimpleNamespace(
            members=[None] * (members - 1) or None, mirror_axes=axes, whole_head=whole_head, pipeline=None
        )
        plan = SimpleNamespace(patch_size=(32, 32, 32), smallest_voxels=smallest)
        self.current = SimpleNamespace(name=name, version="1.0", manifest=manifest, plan=plan)
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


def test_where_to_look_closely_is_a_choice_for_models_of_wide_scans(qtbot: QtBot) -> None:
    choice = Choice()
    shown = Thoroughness(choice)  # type: ignore[arg-type]
    qtbot.addWidget(shown)
    choice.take("large structures", 1, [], None, 500)
    assert not shown.isHidden() and shown.roi is None
    assert shown._region.itemText(0) == "Structures only"
    shown._region.setCurrentIndex(1)
    assert shown.roi is False
    choice.take("mirrored", 1, ["x", "y", "z"], None, 500)
    assert shown.mirror is None and "up to 2 × slower" in shown._mirror.itemText(1)
    shown._mirror.setCurrentIndex(1)
    assert shown.mirror == "structures"
    choice.take("tiny structures", 1, [], None, 5)
    assert shown.roi is None and shown._region.itemText(0) == "Closely everywhere"
    shown._region.setCurrentIndex(1)
    assert shown.roi is True and "may miss" in shown._region.currentText()
