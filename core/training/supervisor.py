"""Training on several devices: a group of child processes under torchrun, watched from the calling thread.

Never in this process: Lightning would start the others by running this program's own command line again.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import core
from core import errors
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.errors import Cancelled, IsocenterError, OutOfMemory, TrainingFailed
from core.kept import kept_experiment
from core.training import control, memory
from core.training.control import StopRequested

logger = logging.getLogger(__name__)

WORKER = "core.training.worker"
LOG = "processes.log"  # in the run's folder: what the processes wrote to stderr
STOP_SECONDS = 60.0  # for a cancelled run to keep its checkpoints
END_SECONDS = 10.0


def supervise(run: RunRow, devices: int, *, resume: bool, beside_window: bool, job: JobControl) -> None:
    """Train a prepared run in `devices` processes of this computer, and wait for them.

    Where one runs out of memory, all are started again with smaller pieces, from the last checkpoint on. A cancelled
    `job` asks them to stop and keep their checkpoints, and ends them where they do not. Raises as `fit` does:
    StopRequested, the IsocenterError of a process, or TrainingFailed for one that crashed.
    """
    experiment = kept_experiment(run)
    for smaller in range(memory.TIMES + 1):
        try:
            return _attempt(run, devices, smaller, resume=resume, beside_window=beside_window, job=job)
        except OutOfMemory:
            retry = memory.smaller(experiment)
            if retry is None or smaller == memory.TIMES:
                raise
        experiment, change = retry
        with Catalog() as catalog:
            catalog.add_event(run.id, "warning", memory.told(change))
        resume = True


def _attempt(
    run: RunRow, devices: int, smaller: int, *, resume: bool, beside_window: bool, job: JobControl
) -> None:  # fmt: skip
    job.progress(None, f"Starting {devices} processes")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices), "-m", WORKER,
        run.id, "--smaller", str(smaller), *["--resume"] * resume, *["--beside-window"] * beside_window,
    ]  # fmt: skip
    log = run.folder / LOG
    with open(log, "ab" if smaller else "wb") as written:
        group = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=written, text=True, encoding="utf-8",
            errors="replace", env=_environment(), start_new_session=True,  # a Ctrl-C is this process's to obey
        )  # fmt: skip
        try:
            told = _follow(group, run.id, job)
            group.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(group)
    ended = next((news["ended"] for news in told if "ended" in news), None)
    if ended is None:
        raise _why(told, log)
    if ended != "finished":
        raise StopRequested(discard=ended == "discarded")


def _follow(group: subprocess.Popen[str], run_id: str, job: JobControl) -> list[dict[str, Any]]:
    """Pass progress on until the processes close their output; returns all that they told."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in group.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="processes", daemon=True).start()
    told: list[dict[str, Any]] = []
    asked_at: float | None = None
    while True:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            line = ""
        if line is None:
            return told
        if line.startswith("{"):
            news = json.loads(line)
            if "progress" in news:
                job.listener(*news["progress"])
            elif "said" in news:
                logger.info("%s", news["said"])
            else:
                told.append(news)
        if job.cancelled and asked_at is None:
            control.request(run_id, "stop")
            asked_at = time.monotonic()
        if asked_at is not None and time.monotonic() - asked_at > STOP_SECONDS:
            raise Cancelled


def _end(group: subprocess.Popen[str]) -> None:
    """Leave no process behind: each ends when its stdin closes, whatever torchrun does."""
    for pipe in (group.stdin, group.stdout):
        if pipe is not None:
            pipe.close()
    group.terminate()
    try:
        group.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        group.kill()
        group.wait()


def _why(told: list[dict[str, Any]], log: Path) -> IsocenterError:
    """The error of the process that failed first. When one dies, the others only tell that they lost it."""
    for news in told:
        if failed := news.get("failed"):
            kind = getattr(errors, failed.pop("kind"), TrainingFailed)
            error: IsocenterError = kind(failed.pop("what"), **failed)
            return error
    written = log.read_text(encoding="utf-8", errors="replace")
    # torchrun's summary ends with the first failure; the other processes it ends by signals too.
    killed = re.findall(r"Signal \d+ \(\w+\) received by PID \d+", written.rpartition("Root Cause")[2])
    crashed = [news["crashed"] for news in told if "crashed" in news]
    raised = re.findall(r"^\w+(?:Error|Exception): .*", written, re.MULTILINE)[:1]
    reason = next(iter([*killed, *crashed, *raised]), "it told nothing")
    return TrainingFailed(
        f"a training process ended by itself ({reason})", where=log,
        mend="The checkpoints from before are kept; the file holds all that the processes wrote.",
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """This program's, so that the children import the same `core`, without threads of OpenMP's own choosing."""
    path = os.pathsep.join(filter(None, [str(Path(core.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
