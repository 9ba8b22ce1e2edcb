"""The four views as a picture, from the command line."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QThread
from PySide6.QtGui import QImage

from tests.gui.making import write_scan

ROOT = Path(__file__).resolve().parents[2]


def snapshot(home: Path, *args: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ISOCENTER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        env.pop(name, None)
    command = [sys.executable, "-m", "gui", "snapshot", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_a_picture_with_the_overlay_is_written_without_a_display(isocenter_home: Path, tmp_path: Path):
    scan = write_scan(tmp_path / "head.nii.gz", "LPS")
    image = nib.load(scan)
    labels = (np.asanyarray(image.dataobj) > 900).astype(np.uint8)
    seg = tmp_path / "seg.nii.gz"
    nib.save(nib.Nifti1Image(labels, image.affine), seg)
    out = tmp_path / "views.png"
    done = snapshot(isocenter_home, scan, out, "--overlay", seg, "--size", "900x700", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"scan": str(scan), "picture": str(out), "size": [900, 700]}
    picture = QImage(str(out))
    assert (picture.width(), picture.height()) == (900, 700)
    colours = (picture.pixelColor(x, y) for x in range(0, 900, 4) for y in range(40, 700, 4))
    assert sum(colour.red() > colour.blue() + 80 for colour in colours) > 50


def test_a_view_that_takes_too_long_is_told(qapp, qtbot, isocenter_home, tmp_path: Path, monkeypatch, capsys):
    from gui import snapshot as module

    monkeypatch.setattr(module, "WAIT_MS", 0)
    module.take(write_scan(tmp_path / "head.nii"), tmp_path / "a.png", None, 600, 500)
    assert "3D view took too long" in capsys.readouterr().err
    assert (tmp_path / "a.png").is_file()
    threads = [one for one in gc.get_objects() if isinstance(one, QThread) and one is not qapp.thread()]
    qtbot.waitUntil(lambda: not any(thread.isRunning() for thread in threads), timeout=60_000)  # of the surfaces


@pytest.mark.parametrize("fault", ["no scan", "no png", "other grid", "bad size", "no folder"])
def test_bad_input_ends_with_2_and_one_line(isocenter_home: Path, tmp_path: Path, fault: str):
    scan, out, more = write_scan(tmp_path / "head.nii"), tmp_path / "a.png", []
    if fault == "no scan":
        scan = tmp_path / "none.nii"
    elif fault == "no png":
        out = tmp_path / "a.tiff"
    elif fault == "other grid":
        more = ["--overlay", write_scan(tmp_path / "seg.nii", "LPS")]
    elif fault == "bad size":
        more = ["--size", "big"]
    else:
        out = tmp_path / "nowhere" / "a.png"
    done = snapshot(isocenter_home, scan, out, *more)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("isocenter:")]) == 1
    assert not list(tmp_path.glob("**/*.png*"))
