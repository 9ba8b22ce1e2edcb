"""The commands of bootstrap.py: run, test and install."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import setup_desktop
import setup_system
from setup_console import Console, SetupFailed, clock
from setup_environment import ROOT, Environment

# A window that is aborted this soon never appeared: the display that was promised cannot be reached.
ABORT_SECONDS = 15.0


def main(arguments: Sequence[str], *, usage: str) -> int:
    """Carry out one command; the exit code is 0 done, 2 something a person can mend, or the program's own."""
    commands = {"run": run, "test": test, "install": install}
    command, *rest = arguments or ["help"]
    if command not in commands:
        print(usage)
        return 0 if command in {"help", "-h", "--help"} else 2
    console = Console()
    try:
        return commands[command](console, rest)
    except SetupFailed as error:
        console.problem(str(error))
        return 2
    except KeyboardInterrupt:
        console.say("Stopped. What has arrived is kept; the next run goes on from there.")
        return 130


def prepare(console: Console, *, extras: Sequence[str] = (), display: bool) -> Environment:
    """The environment, after a look at the system it needs."""
    environment = Environment(ROOT)
    setup_system.ensure_libraries(console, display=display)
    if not environment.is_ready(extras):
        setup_system.ensure_venv(console)
        environment.install(extras, console)
    return environment


def run(console: Console, arguments: Sequence[str]) -> int:
    """The window with the given scans, or with the sample; without a display, the same job as files."""
    display = has_display()
    environment = prepare(console, display=display)
    if display:
        console.say("Opening the window.")
        began = time.monotonic()
        status = subprocess.call([environment.script("isocenter"), *(arguments or ["--sample"])])
        aborted = status in {-signal.SIGABRT, 128 + signal.SIGABRT} and sys.platform.startswith("linux")
        if not (aborted and time.monotonic() - began < ABORT_SECONDS):
            return status
        console.problem("The display could not be reached, so the job is done without a window.")
    else:
        console.say("There is no display here, so the job is done without a window.")
    return predict(console, environment, [argument for argument in arguments if not argument.startswith("-")])


def has_display() -> bool:
    """Whether a window could be seen."""
    if os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in {"offscreen", "minimal"}:
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def sample_scan(environment: Environment) -> str:
    code = "from core.imaging.sample import sample_scan; print(sample_scan())"
    return _output([environment.python, "-P", "-c", code]).strip().splitlines()[-1]


def predict(console: Console, environment: Environment, arguments: Sequence[str]) -> int:
    """Predict the given scans, or the sample, with the bundled model; all goes to isocenter-output/."""
    scans = arguments or [sample_scan(environment)]
    folder = Path.cwd() / "isocenter-output"
    folder.mkdir(exist_ok=True)
    isocenter = environment.script("isocenter")
    console.say("Predicting with the bundled model hippocampus ...")
    answer = _output([isocenter, "predict", *scans, "--model", "hippocampus", "--out", str(folder), "--json"])
    for prediction in json.loads(answer)["predictions"]:
        scan = Path(prediction["scan"])
        name = Path(prediction["output"]).name.removesuffix("_seg.nii.gz") if arguments else "isocenter-sample"
        picture = folder / f"{name}.png"
        _output([isocenter, "snapshot", str(scan), str(picture), "--overlay", str(prediction["output"])])
        console.say(f"{scan.name}: {len(prediction['structures'])} structures in {prediction['seconds']:.1f} s")
        for structure in prediction["structures"]:
            console.say(f"  {structure['name']:<32} {structure['volume_ml']:8.2f} mL")
        for finding in prediction["findings"]:
            console.say(f"  {finding['message']}")
        console.say(f"Segmentation: {prediction['output']}")
        console.say(f"Picture:      {picture}")
    console.say("Research use only. Not a medical device.")
    return 0


def test(console: Console, arguments: Sequence[str]) -> int:
    """Every check of the project, each by its name, and at the end which of them failed."""
    environment = prepare(console, extras=("dev",), display=False)
    python = environment.python
    checks = {
        "ruff": [python, "-m", "ruff", "check", "."],
        "import contracts": [environment.script("lint-imports"), "--no-logo"],
        "mypy": [python, "-m", "mypy"],
        "pytest": [python, "-m", "pytest", *arguments],
    }
    settings = {key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    settings["QT_QPA_PLATFORM"] = "offscreen"
    results = {}
    for name, command in checks.items():
        console.say(f"== {name}")
        began = time.monotonic()
        status = subprocess.call(command, cwd=ROOT, env=settings)
        results[name] = status, time.monotonic() - began
    console.say("== in short")
    for name, (status, seconds) in results.items():
        console.say(f"  {name:<18} {'passed' if status == 0 else 'FAILED'}  {clock(seconds)}")
    failed = [name for name, (status, _) in results.items() if status]
    console.say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


def install(console: Console, arguments: Sequence[str]) -> int:
    """The environment, and a way to start the program from the desktop."""
    environment = prepare(console, display=has_display())
    entry = setup_desktop.install(environment)
    console.say(f"Isocenter is in the desktop's menu: {entry}")
    console.say(f"From a terminal: {environment.script('isocenter')}")
    return 0


def _output(command: Sequence[str]) -> str:
    """What a command of the program prints; its own message goes straight to the terminal."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SetupFailed(
            f"{' '.join(map(str, command[1:3]))} ended with code {done.returncode}; its message stands above."
        )
    return done.stdout
