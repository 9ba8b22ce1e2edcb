"""An entry in the desktop's menu that starts the window from the private environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setup_environment import ROOT, Environment

ICON = ROOT / "resources" / "icons" / "isocenter-app.svg"
ENTRY = ROOT / "packaging" / "desktop" / "isocenter.desktop"


def install(environment: Environment) -> Path:
    """Write the entry for this system and return where it is."""
    if os.name == "nt":
        return _windows(environment, Path(os.environ["APPDATA"]) / "Microsoft/Windows/Start Menu/Programs")
    if sys.platform == "darwin":
        return _macos(environment, Path.home() / "Applications")
    return linux(environment, Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"))


def linux(environment: Environment, data: Path) -> Path:
    """The entry and its icon under the user's data folder, as freedesktop.org says."""
    icon = data / "icons/hicolor/scalable/apps/isocenter.svg"
    icon.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ICON, icon)
    entry = data / "applications" / ENTRY.name
    entry.parent.mkdir(parents=True, exist_ok=True)
    program = environment.script("isocenter-window")
    entry.write_text(ENTRY.read_text(encoding="utf-8").replace("@PROGRAM@", _quoted(program)), encoding="utf-8")
    if shutil.which("update-desktop-database"):
        subprocess.run(["update-desktop-database", str(entry.parent)], capture_output=True, check=False)
    return entry


def _quoted(program: str) -> str:
    """A program's path as the Exec key wants it."""
    for sign in '\\"`$':
        program = program.replace(sign, f"\\{sign}")
    # The key is itself a string in which a backslash is doubled.
    return '"' + program.replace("\\", "\\\\").replace("%", "%%") + '"'


def _windows(environment: Environment, menu: Path) -> Path:
    entry = menu / "Isocenter.bat"
    entry.write_text(f'@start "" "{environment.script("isocenter-window")}" %*\r\n', encoding="utf-8", newline="")
    return entry


def _macos(environment: Environment, applications: Path) -> Path:
    applications.mkdir(exist_ok=True)
    entry = applications / "Isocenter.command"
    entry.write_text(f'#!/bin/sh\nexec "{environment.script("isocenter")}" "$@"\n', encoding="utf-8")
    entry.chmod(0o755)
    return entry
