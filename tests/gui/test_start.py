"""How the program starts: quickly, without what is heavy, and into the right place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton

from core.catalog import Catalog
from gui import __main__ as entry
from gui.app import Faults, _look_for_interrupted
from gui.main_window import MainWindow
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
window.context.close(60)  # a busy computer takes its time to end what was begun
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


AWAY = """
import sys
import gui.main_window
from PySide6.QtCore import QTimer
from gui.app import start
from gui.jobs.jobs import Job
app, window = start(["--no-sample"])
window.away.tray_available = lambda: True
gui.main_window.ask_about_training = lambda *_, **_more: "Keep training"
job = Job("Training", kind="training")
window.context.jobs.adopt(job)
def close():
    window.close()
    print("hidden", window.isHidden())
    QTimer.singleShot(0, job.finish)
window.painted.connect(lambda: QTimer.singleShot(0, close))
QTimer.singleShot(60_000, lambda: app.exit(9))
sys.exit(app.exec() or not window.context.close())
"""


def test_a_program_behind_the_tray_ends_with_the_training(isocenter_home: Path):
    done = subprocess.run(
        [sys.executable, "-c", AWAY], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ISOCENTER_HOME": str(isocenter_home), "PYTHONPATH": str(ROOT),
             "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hidden True" in done.stdout


@pytest.mark.parametrize(("count", "told", "page"), [(1, "head ended", "train"), (2, "head and 1 more", "runs")])
def test_a_start_after_the_program_was_killed_says_what_was_trained_and_leads_there(
    qtbot: object, window: MainWindow, tmp_path: Path, count: int, told: str, page: str
):
    with Catalog() as catalog:
        for number in range(count):
            catalog.add_run(
                id=f"run-{number}", name="head", task="segmentation", config="name: head", data_path=str(tmp_path),
                folder=tmp_path, epochs=9,
            )  # fmt: skip
            catalog.update_run(f"run-{number}", state="running", pid=None, epoch=4)
    _look_for_interrupted(window)
    assert told in window.notice.text
    assert count > 1 or "epoch 4 of 9" in window.notice.text
    button = window.findChild(QAbstractButton, "notice-act")
    button.click()
    assert window.page == page
    assert window.notice.text == ""
    window.context.notice.emit("warn", "Another thing.")
    assert not button.isVisible()
    window.close()


def test_what_nobody_caught_is_logged_and_told(qtbot: object, caplog: pytest.LogCaptureFixture):
    faults, error = Faults(), ValueError("odd")
    with qtbot.waitSignal(faults.caught) as told:
        faults._hook(ValueError, error, None)
    assert told.args == [error]
    assert "Unhandled error" in caplog.text
