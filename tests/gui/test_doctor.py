from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_doctor_tells_of_display_fonts_and_graphics() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "gui", "doctor", "--json"], cwd=root, capture_output=True, timeout=120, check=True
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {"display", "fonts", "graphics", "sqlite", "devices"} <= set(checks)
    assert checks["fonts"]["facts"]["families"] >= 0
    assert checks["graphics"]["ok"] == checks["graphics"]["facts"]["works"]
