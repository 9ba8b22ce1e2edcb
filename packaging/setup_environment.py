"""The private environment: made once, filled from pinned packages, resumed after a broken download."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from setup_console import Console, SetupFailed, clock

ROOT = Path(__file__).resolve().parent.parent
WAITS_SECONDS = (5, 15, 45)
NEEDED_BYTES = 4_000_000_000

# pip's words for a network that fails; anything else that pip calls an error will not get better by waiting.
_NETWORK = re.compile(
    r"^(ERROR|WARNING|pip\._vendor).*"
    r"(connection|time(d )?out|retrying|name resolution|incomplete|remote end|reset by peer|\b50[0-9] |\bssl)",
    re.IGNORECASE,
)


class Environment:
    """A virtual environment in .venv under `root`, with the program installed in place."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self._marker = self.folder / "isocenter-installed.json"
        self._log = self.folder / "isocenter-install.log"
        self._scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> str:
        return self.script("python")

    def script(self, name: str) -> str:
        """The path of a program of the environment."""
        return str(self._scripts / (f"{name}.exe" if os.name == "nt" else name))

    def is_ready(self, extras: Sequence[str]) -> bool:
        """Whether all that is asked for was installed from the pins as they stand now."""
        fingerprint, installed = self._read_marker()
        return fingerprint == self._fingerprint() and set(extras) <= installed and Path(self.python).exists()

    def install(self, extras: Sequence[str], console: Console) -> None:
        """Make or mend the environment. Raises SetupFailed, saying what to do."""
        began = time.monotonic()
        console.say(f"Setting up Isocenter in {self.folder} (the first time takes some minutes).")
        if shutil.disk_usage(self.root).free < NEEDED_BYTES:
            console.say(f"There is little space on this disk; about {NEEDED_BYTES / 1e9:.0f} GB are needed.")
        self._make(console)
        # What was asked for before stays: a `run` after a `test` does not take the test tools away.
        wanted = sorted(self._read_marker()[1] | set(extras))
        target = f"{self.root}[{','.join(wanted)}]" if wanted else str(self.root)
        console.say("2/3 Packages: downloading and installing, at the versions of packaging/constraints.txt.")
        # The build tools first, so that the program itself is then installed without fetching any.
        self._pip(["--upgrade", "pip", "setuptools"], console)
        self._pip(["--no-build-isolation", "--editable", target], console)
        console.say("3/3 Checking that the window's libraries load.")
        self._check(console)
        self._marker.write_text(json.dumps({"fingerprint": self._fingerprint(), "extras": wanted}), encoding="utf-8")
        console.say(f"Ready after {clock(time.monotonic() - began)}.")

    def _fingerprint(self) -> str:
        """Changes with the pins, the project's settings, the Python in use and the place of the checkout."""
        parts = [(self.root / name).read_bytes() for name in ("packaging/constraints.txt", "pyproject.toml")]
        parts += [sys.version.encode(), str(self.root).encode()]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _read_marker(self) -> tuple[str | None, set[str]]:
        """The fingerprint and the extras of the last whole install."""
        try:
            installed = json.loads(self._marker.read_text(encoding="utf-8"))
            return installed["fingerprint"], set(installed["extras"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, set()

    def _make(self, console: Console) -> None:
        probe = "import sys, pip; print(*sys.version_info[:2], sys.prefix)"
        expected = f"{sys.version_info[0]} {sys.version_info[1]} {self.folder}"
        if Path(self.python).exists():
            found = subprocess.run([self.python, "-c", probe], capture_output=True, text=True, check=False)
            if found.stdout.strip() == expected:
                console.say("1/3 The environment is there; going on with it.")
                return
            console.say("1/3 The environment is of another Python or place; making it anew.")
        else:
            console.say("1/3 Making a private environment.")
        done = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise SetupFailed(f"{self.folder}: the environment could not be made ({' '.join(last)}).")

    def _pip(self, arguments: Sequence[str], console: Console) -> None:
        """pip install, again after a pause where the network fails; whole downloads are kept in pip's cache."""
        command = [
            self.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
            "--constraint", str(self.root / "packaging" / "constraints.txt"), *arguments,
        ]  # fmt: skip
        for wait in (*WAITS_SECONDS, None):
            status, output = self._follow(command, console)
            if status == 0:
                return
            if any("No space left" in line for line in output):
                raise SetupFailed(
                    f"The disk is full. Free about {NEEDED_BYTES / 1e9:.0f} GB, then run the same command again."
                )
            broken = [line for line in output if _NETWORK.match(line)]
            errors = broken or [line for line in output if line.startswith("ERROR")] or output
            reason = re.sub(r"^(ERROR|WARNING): ", "", errors[-1])[:300] if errors else f"pip ended with code {status}"
            if not broken:
                raise SetupFailed(f"A package could not be installed: {reason}\nAll that pip said: {self._log}")
            if wait is None:
                raise SetupFailed(
                    f"The network gave up: {reason}\n"
                    "What has arrived is kept. Run the same command again when the network is back."
                )
            console.say(f"The download broke off; trying again in {wait} s. What has arrived is kept.")
            time.sleep(wait)

    def _follow(self, command: Sequence[str], console: Console) -> tuple[int, list[str]]:
        """Run pip and say what it is at. Returns its exit code and lines."""
        began = time.monotonic()
        output: list[str] = []
        state = PipState()
        with (
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
            ) as process,
            self._log.open("a", encoding="utf-8") as log,
        ):
            for line in _lines(process):
                if line is not None:
                    output.append(line)
                    print(line, file=log)
                    state.read(line)
                console.show(f"{state}, {clock(time.monotonic() - began)}")
        if process.returncode == 0 and state.installed:
            console.say(f"  {state.installed} packages installed in {clock(time.monotonic() - began)}")
        return process.returncode, output

    def _check(self, console: Console) -> None:
        code = "import PySide6.QtWidgets, PySide6.QtSvg, vtkmodules.vtkRenderingOpenGL2"
        done = subprocess.run([self.python, "-P", "-c", code], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
            console.problem(
                f"The window's libraries do not load ({last}). Without them only the command line works; "
                "install the system library that is named, then run the same command."
            )


class PipState:
    """How far pip is, read from what it prints.

    >>> state = PipState()
    >>> state.read("Collecting numpy>=2 (from monai)")
    >>> state.read("  Downloading numpy-2.4.6-cp311-cp311-linux_x86_64.whl (18.1 MB)")
    >>> str(state)
    '1 package found, now numpy (18.1 MB)'
    """

    def __init__(self) -> None:
        self.found = 0
        self.installing = 0
        self.installed = 0
        self._now = ""

    def read(self, line: str) -> None:
        if line.startswith("Collecting "):
            self.found += 1
            self._now = re.split(r"[^\w.-]", line.removeprefix("Collecting "))[0]
        elif match := re.match(r"\s+Downloading ([\w.]+)-\S+ \(([\d.]+ \wB)\)", line):
            self._now = f"{match[1].replace('_', '-')} ({match[2]})"
        elif line.startswith("Installing collected packages:"):
            self.installing = line.count(",") + 1
        elif line.startswith("Successfully installed "):
            self.installed = len(line.split()) - 2

    def __str__(self) -> str:
        if self.installing:
            return f"putting {self.installing} packages in place"
        if not self.found:
            return "looking at what is there"
        return f"{self.found} package{'s' * (self.found > 1)} found, now {self._now}"


def _lines(process: subprocess.Popen[str]) -> Iterator[str | None]:
    """The lines of a process as they come, and None about once a second, so that a clock can go on."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip())
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while True:
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line
