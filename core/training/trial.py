"""The child process of an estimate: `python -m core.training.trial REQUEST` trains a short run and times it.

Prints a JSON object for each progress, and one with what was measured, or with an `error`, as the last.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from core import config
from core.catalog import Catalog, MetricPoint
from core.control import JobControl
from core.errors import IsocenterError
from core.training.estimate import Measured
from core.training.given import Preparation
from core.training.launch import add_run, execute

WARM_UP = 2  # points of the first epoch that are not counted
STRIDE = 10  # on a GPU the loss is recorded at every tenth batch


def main(path: str) -> int:
    import psutil

    began = psutil.Process().create_time()  # the interpreter and the imports are part of a run, too
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    ready = Preparation(
        experiment=config.parse(request["experiment"]), data_path=Path(request["data_path"]),
        layout=request["layout"], cases=request["cases"], findings=(), files=request["files"],
    )  # fmt: skip
    preparing: list[float] = []

    def listen(fraction: float | None, message: str) -> None:
        if message.startswith("Preparing"):
            preparing.append(time.time())
        _print({"fraction": fraction, "message": message})

    try:
        run_id = add_run(ready)
        execute(run_id, beside_window=request["beside_window"], job=JobControl(listen))
    except IsocenterError as error:
        _print({"error": str(error.what), "mend": error.mend})
        return 1
    with Catalog() as catalog:
        points = catalog.metrics(run_id)
    device, memory = _memory()
    cases = [after - before for before, after in pairwise(preparing)]
    case = sum(cases) / len(cases) if cases else 0.0
    batches = _batches(ready.experiment, ready.files)
    step, validation, between, first = timed(points, batches, 1 if device == "cpu" else STRIDE)
    start = max(first - began - case * len(preparing) - step, 0.0)
    _print(asdict(Measured(step, validation, between, case, start, memory, device)))
    return 0


def timed(points: Sequence[MetricPoint], batches: int, stride: int) -> tuple[float, float, float, float]:
    """Seconds of a step, a validation and between two epochs, and the time of the first step, from recorded metrics.

    batches: of an epoch. stride: batches between two points of the loss.
    """
    losses: dict[int, list[float]] = {}
    for point in points:
        if point.key == "train/loss":
            losses.setdefault(point.epoch, []).append(point.time)
    validated = {point.epoch: point.time for point in points if point.key == "val/loss"}
    first = min(times[0] for times in losses.values())
    spans = [times[WARM_UP:] if epoch == 0 and len(times) > WARM_UP + 1 else times for epoch, times in losses.items()]
    steps = stride * sum(len(times) - 1 for times in spans)
    if steps:
        step = sum(times[-1] - times[0] for times in spans) / steps
    else:  # too slow for two steps in the trial's time: by the speed over all of it
        speed = next((point.value for point in points if point.key == "train/samples_per_s"), 0.0)
        step = 1 / speed if speed else 0.0

    def left(epoch: int) -> float:
        """Time of the batches after an epoch's last point."""
        done = stride * (len(losses[epoch]) - 1) + 1
        return max(batches - done, 0) * step if stride > 1 else 0.0

    validations = [at - losses[epoch][-1] - left(epoch) for epoch, at in validated.items() if epoch in losses]
    between = [
        losses[epoch + 1][0] - at - step for epoch, at in validated.items() if epoch in losses and epoch + 1 in losses
    ]
    # The first validation sets things up, too; the shortest is what all further ones take.
    return step, max(min(validations, default=0.0), 0.0), max(min(between, default=0.0), 0.0), first


def _batches(experiment: Any, files: Mapping[str, str]) -> int:
    training = len(json.loads(files["split.json"])["train"]) if "split.json" in files else 1
    trainer = experiment.trainer
    return max(training * trainer.patches_per_case // trainer.batch_size, 1)


def _memory() -> tuple[str, int]:
    """The device that was used, and the peak of its memory: on a CPU that of this process."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return "cuda", int(torch.cuda.max_memory_allocated())
    return "cpu", _peak_of_process()


def _peak_of_process() -> int:
    # Not ru_maxrss, where the kernel keeps it: on Linux that begins with the parent's.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import psutil

    if windows := getattr(psutil.Process().memory_info(), "peak_wset", 0):
        return int(windows)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


def _print(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
