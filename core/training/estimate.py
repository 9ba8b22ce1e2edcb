"""What a run will take, from a trial: a few real steps and a validation in a process of its own, extrapolated.

The trial is the run itself, shortened: the same network, loss, optimizer, patches, augmentation, threads and
callbacks on some of the cases. Its process is its own, so that its memory is its own, and a cancel ends it at once.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import core
from core import config
from core.control import JobControl
from core.errors import TrainingFailed
from core.training.given import Preparation

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Trial:
    """A short run, and how the whole one is larger.

    prepared: the short run, of a few cases; its trainer settings bound its time.
    experiment: the whole run's, everything filled in. steps: batches of its epoch. cases: those it has yet to prepare.
    validation: its work of a validation, by that of the trial. more_bytes: what it holds for its further cases.
    """

    prepared: Preparation
    experiment: Any
    steps: int
    cases: int
    validation: float = 1.0
    more_bytes: int = 0


@dataclass(frozen=True)
class Measured:
    """What a trial found: seconds of a step, of a validation, between two epochs, of preparing a case and of the start
    and the end besides; and the peak memory in bytes, of the process or, on a GPU, of the GPU."""

    step_s: float
    validation_s: float
    between_s: float
    case_s: float
    start_s: float
    memory: int
    device: str


@dataclass(frozen=True)
class Estimate:
    """Seconds and bytes of a whole run. `epochs` are those it gets through, of `of_epochs` that it may do at most."""

    step_s: float
    epoch_s: float
    validation_s: float
    preparing_s: float
    total_s: float
    epochs: int
    of_epochs: int
    minutes: float  # the run's time limit, 0 without
    memory: int
    device: str

    def time_text(self) -> str:
        """
        >>> Estimate(0.1, 7, 1, 5, 720, 100, 100, 0, 2**30, "cpu").time_text()
        'about 12 min for 100 epochs'
        >>> Estimate(0.1, 7, 1, 5, 480, 66, 1000, 8, 2**30, "cpu").time_text()
        'about 66 of 1,000 epochs in 8 min'
        """
        if self.epochs < self.of_epochs:
            return f"about {self.epochs:,} of {self.of_epochs:,} epochs in {self.minutes:g} min"
        return f"about {duration(self.total_s)} for {self.epochs:,} epochs"

    def memory_text(self) -> str:
        where = "" if self.device == "cpu" else " on the GPU"
        return f"{self.memory / 2**30:.1f} GB{where}"

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of each figure, as they are shown."""
        return [
            ("Whole run", self.time_text()),
            ("An epoch", f"{duration(self.epoch_s)}, a step {duration(self.step_s)}"),
            ("A validation", duration(self.validation_s)),
            ("Start", f"{duration(self.preparing_s)}, scans prepared"),
            ("Memory at most", self.memory_text()),
        ]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def duration(seconds: float) -> str:
    """
    >>> [duration(s) for s in (0.0423, 3.21, 48, 95, 720, 5400, 200_000)]
    ['42 ms', '3.2 s', '48 s', '1.6 min', '12 min', '1.5 h', '56 h']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in ((60, "s"), (3600, "min")):
        if seconds < 1.5 * size:
            value = seconds * 60 / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def extrapolated(trial: Trial, found: Measured) -> Estimate:
    """The whole run from what its trial took."""
    settings = trial.experiment.trainer
    epoch = trial.steps * found.step_s + found.between_s
    validation = found.validation_s * trial.validation
    most, minutes = settings.epochs, float(settings.max_minutes)
    limit = 60 * minutes or math.inf
    training = most * epoch + math.ceil(most / settings.validate_every) * validation
    epochs = most
    if training > limit:
        epochs = max(round(limit / (epoch + validation / settings.validate_every)), 1)
        training = limit + validation  # the end is always validated
    preparing = found.start_s + trial.cases * found.case_s
    return Estimate(
        step_s=found.step_s, epoch_s=epoch, validation_s=validation, preparing_s=preparing,
        total_s=preparing + training, epochs=min(epochs, most), of_epochs=most, minutes=minutes,
        memory=found.memory + trial.more_bytes, device=found.device,
    )  # fmt: skip


def estimate(trial: Trial, control: JobControl, *, beside_window: bool = False) -> Estimate:
    """Run a trial in a child process (some ten seconds, and the imports) and extrapolate.

    Raises TrainingFailed where the run cannot even begin, Cancelled at once when asked to.
    """
    return extrapolated(trial, _measured(trial, control, beside_window))


def _measured(trial: Trial, control: JobControl, beside_window: bool) -> Measured:
    ready = trial.prepared
    with TemporaryDirectory(prefix="isocenter-trial-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        request = {
            "experiment": config.to_tree(ready.experiment), "data_path": str(ready.data_path), "layout": ready.layout,
            "cases": ready.cases, "files": dict(ready.files), "beside_window": beside_window,
        }  # fmt: skip
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with open(folder / "stderr", "wb+") as said, _child(folder, said) as lines:
            answer = _listen(lines, control)
            if answer is None:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()[-1:]
                answer = {"error": last[0][:200] if last else "its process ended without a word"}
    if "error" in answer:
        mend = answer.get("mend") or "Lower data.patch_size or trainer.batch_size if memory is short."
        raise TrainingFailed(f"a trial of this run failed ({answer['error']})", mend=mend)
    return Measured(**answer)


@contextlib.contextmanager
def _child(folder: Path, stderr: IO[bytes]) -> Iterator[queue.Queue[str | None]]:
    """The trial's process and the lines that it prints, None at their end; killed when the block is left."""
    paths = [str(Path(core.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ, "ISOCENTER_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }  # fmt: skip
    command = [sys.executable, "-m", "core.training.trial", str(folder / "request.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True) as process:
        lines: queue.Queue[str | None] = queue.Queue()

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put(None)

        reader = threading.Thread(target=read, name="trial", daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.kill()
            reader.join()


def _listen(lines: queue.Queue[str | None], control: JobControl) -> dict[str, Any] | None:
    """Pass progress on until the result comes; None where the process ended without one."""
    while True:
        control.check()
        try:
            line = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return None
        try:
            event = json.loads(line)
        except ValueError:
            continue  # what a library printed
        if isinstance(event, dict) and "message" in event:
            control.progress(event.get("fraction"), event["message"])
        elif isinstance(event, dict):
            return event
