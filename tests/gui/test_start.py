"""How the program starts: quickly, without what is heavy, and into the right place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gui import __main__ as entry
from gui.app import Faults
from tests.gui.making import write_scan

ROOT = Path(__file__).resolve().parents[2]
START = """
import json, sys
from PySide6.QtCore import QTimer
from gui.app import start
HEAVY = set("torch lightning monai vtk vtkmodules scipy nibabel pydicom pydantic sqlite_utils pyqtgraph".split())
app, window = start(sys.argv[1:])
told = {}
def painted():
    told["heavy"] = sorted(HEAVY & {name.partition(".")[0] for name in sys.modules})
    told["drops"] = window.acceptDrops()
def end():
    told["open"] = [scan.opened.volume.name for scan in window.scans.open_scans]
    told["later"] = sorted({"torch", "lightning", "monai"} & set(sys.modules))
    print(json.dumps(told))
    window.close()
window.painted.connect(painted)
tries = 0
def look():
    global tries
    tries += 1
    if window.scans.grid is None or (len(window.scans.open_scans) < int(app.property("wanted")) and tries < 300):
        QTimer.singleShot(100, look)
    else:
        end()
app.setProperty("wanted", WANTED)
QTimer.singleShot(0, look)
app.exec()
window.context.close()
"""


def start(home: Path, *args: str, wanted: int) -> dict[str, object]:
    import json

    done = subprocess.run(
        [sys.executable, "-c", START.replace("WANTED", str(wanted)), *args],
        cwd=ROOT,
        env={**os.environ, "ISOCENTER_HOME": str(home), "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_nothing_heavy_is_imported_when_the_window_shows_and_scans_given_are_opened(
    isocenter_home: Path, tmp_path: Path
):
    told = start(isocenter_home, str(write_scan(tmp_path / "one.nii")), str(write_scan(tmp_path / "two.nii")), wanted=2)
    assert told["heavy"] == []
    assert told["drops"] is True
    assert sorted(told["open"]) == ["one", "two"]
    assert told["later"] == []


def test_a_first_start_opens_the_sample(isocenter_home: Path):
    assert start(isocenter_home, wanted=1)["open"] == ["icbm152_2009_t1"]


def test_a_start_without_the_sample_shows_the_welcome_page(isocenter_home: Path):
    assert start(isocenter_home, "--no-sample", wanted=0)["open"] == []


@pytest.mark.parametrize("args", [["runs", "list"], ["doctor"], ["snapshot", "a.nii", "b.png"], ["--version"]])
def test_commands_go_to_the_command_line(monkeypatch: pytest.MonkeyPatch, args: list[str]):
    seen: list[list[str]] = []
    monkeypatch.setattr("core.cli.main", lambda given, more: seen.append(given) or 0)
    assert entry.main(args) == 0
    assert seen == [args]


@pytest.mark.parametrize("args", [[], ["head.nii.gz"], ["--no-sample"], ["folder/with/slices"]])
def test_anything_else_opens_the_window(monkeypatch: pytest.MonkeyPatch, args: list[str]):
    seen: list[list[str]] = []
    monkeypatch.setattr("gui.app.main", lambda given: seen.append(given) or 0)
    assert entry.main(args) == 0
    assert seen == [args]


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]):
    assert entry.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("predict", "train", "snapshot", "SCAN"))


def test_what_nobody_caught_is_logged_and_told(qtbot: object, caplog: pytest.LogCaptureFixture):
    faults, error = Faults(), ValueError("odd")
    with qtbot.waitSignal(faults.caught) as told:
        faults._hook(ValueError, error, None)
    assert told.args == [error]
    assert "Unhandled error" in caplog.text
