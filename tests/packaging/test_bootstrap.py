"""The commands of bootstrap.py as a person meets them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import setup_commands
import setup_desktop
from setup_console import Console

BOOTSTRAP = Path(__file__).resolve().parents[2] / "packaging" / "bootstrap.py"


class ToldEnvironment:
    """Stands for the private environment: notes what is started in it."""

    python = "python"

    def script(self, name: str) -> str:
        return name


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; each ends with 0, and prints what the program would."""
    commands: list[list[str]] = []
    structure = {"label": 1, "name": "left anterior hippocampus", "voxels": 1700, "volume_ml": 1.7, "confidence": 0.9}
    prediction = {
        "scan": "/home/sample.nii.gz", "model": "hippocampus", "output": "/out/sample_seg.nii.gz",
        "structures": [structure], "findings": [], "seconds": 2.0,
    }  # fmt: skip

    def output(command):
        commands.append(list(command))
        return json.dumps({"predictions": [prediction]}) if "predict" in command else "/home/sample.nii.gz\n"

    monkeypatch.setattr(setup_commands, "_output", output)
    monkeypatch.setattr(setup_commands, "prepare", lambda *args, **options: ToldEnvironment())
    monkeypatch.setattr(
        setup_commands.subprocess, "call", lambda command, **options: commands.append(list(command)) or 0
    )
    return commands


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_commands, "has_display", lambda: False)


def test_without_a_display_the_sample_is_predicted_and_pictured(started, no_display, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert setup_commands.run(Console(), []) == 0
    said = capsys.readouterr().out
    folder = tmp_path / "isocenter-output"
    assert started[1] == [
        "isocenter", "predict", "/home/sample.nii.gz", "--model", "hippocampus", "--out", str(folder), "--json"
    ]  # fmt: skip
    picture = str(folder / "isocenter-sample.png")
    assert started[2] == [
        "isocenter",
        "snapshot",
        "/home/sample.nii.gz",
        picture,
        "--overlay",
        "/out/sample_seg.nii.gz",
    ]
    assert "no display" in said
    assert "left anterior hippocampus" in said
    assert "1.70 mL" in said
    assert picture in said
    assert "Research use only" in said


def test_with_a_display_the_window_opens_on_the_sample(started, monkeypatch):
    monkeypatch.setattr(setup_commands, "has_display", lambda: True)
    assert setup_commands.run(Console(), []) == 0
    assert started == [["isocenter", "--sample"]]


def test_a_display_that_cannot_be_reached_ends_in_the_headless_job(started, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(setup_commands, "has_display", lambda: True)
    monkeypatch.setattr(setup_commands.sys, "platform", "linux")
    monkeypatch.setattr(setup_commands.subprocess, "call", lambda command, **options: -6)
    assert setup_commands.run(Console(), []) == 0
    assert any("predict" in command for command in started)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="DISPLAY counts on Linux")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, False),
    ],
)
def test_a_display_is_one_that_can_be_seen(settings, expected, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert setup_commands.has_display() is expected


def test_every_check_runs_and_the_failed_ones_are_named(started, monkeypatch, capsys):
    monkeypatch.setattr(
        setup_commands.subprocess,
        "call",
        lambda command, **options: started.append(list(command)) or int("mypy" in command),
    )
    assert setup_commands.test(Console(), ["-x"]) == 1
    assert len(started) == 4
    assert started[-1][-2:] == ["pytest", "-x"]
    assert "Failed: mypy." in capsys.readouterr().out


def test_an_unknown_command_shows_the_usage():
    done = subprocess.run([sys.executable, BOOTSTRAP, "fly"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "bootstrap.py run" in done.stdout


def test_an_old_python_gets_as_far_as_the_message():
    ast.parse(BOOTSTRAP.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_is_told_which_one_is_needed(monkeypatch, capsys):
    import bootstrap

    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    assert bootstrap.main(["run"]) == 2
    assert "needs Python 3.11 or later" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="for the Linux desktop")
def test_the_desktop_entry_starts_the_program_of_the_environment(tmp_path: Path):
    class Spaced(ToldEnvironment):
        def script(self, name: str) -> str:
            return f"/opt/my programs/100%/{name}"

    entry = setup_desktop.linux(Spaced(), tmp_path)
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines() if "=" in line)
    assert lines["Exec"] == '"/opt/my programs/100%%/isocenter-window" %F'
    assert (tmp_path / "icons/hicolor/scalable/apps" / f"{lines['Icon']}.svg").is_file()
