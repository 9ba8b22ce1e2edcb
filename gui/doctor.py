"""What `isocenter doctor` can say of the window: display, fonts and 3D graphics."""

from __future__ import annotations

import os
import sys

from core.commands.doctor import Check


def display() -> Check:
    """Whether a window can open, judged without opening one: Qt ends a program that it cannot give a window."""
    from PySide6.QtCore import qVersion

    named = next((os.environ[name] for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)), "")
    there = bool(named) or sys.platform in ("win32", "darwin")
    words = f"a display ({named or sys.platform})" if there else "no display: no window, but every command works"
    return Check("display", True, f"Qt {qVersion()}, {words}", {"qt": qVersion(), "display": there})


def fonts() -> Check:
    """The font that texts are set in."""
    from PySide6.QtGui import QFontDatabase, QGuiApplication

    from gui.theme.tokens import FONTS

    if QGuiApplication.instance() is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # fonts need no display
        fonts.application = QGuiApplication(["isocenter"])  # it lives as long as it is held
    families = QFontDatabase.families()
    chosen = next((name for name in FONTS if name in families), families[0] if families else "")
    facts = {"families": len(families), "chosen": chosen}
    if not families:
        return Check("fonts", False, "no fonts: texts stay empty; on Debian, apt install fonts-dejavu-core", facts)
    return Check("fonts", True, f"{len(families)} families, texts in {chosen}", facts)


def graphics() -> Check:
    """What draws the 3D view."""
    from gui.viewer.gl_probe import probe

    report = probe()
    facts = {"works": report.works, "renderer": report.renderer, "software": report.software}
    if not report.works:
        return Check("graphics", False, f"no 3D view ({report.problem}); slices work", facts)
    return Check("graphics", True, report.renderer + (", in software" if report.software else ""), facts)


CHECKS = (display, fonts, graphics)
