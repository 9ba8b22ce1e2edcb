"""The child process of an estimate: `python -m core.training.trial REQUEST` trains a short run and times it.

Prints a JSON object for each progress, and one with what was measured, or with an `error`, as the last.
"""

from __future__ import annotations

import json
import statistics
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
from core.models.costs import cost_of
from core.training.estimate import Measured
from core.training.given import Preparation
from core.training.launch import add_run, execute

WARM_UP = 2  # points of the first epoch that are not counted where it is the only one
STRIDE = 10  # on a GPU the loss is recorded at every tenth batch


def main(path: str) -> int:
    import psutil

    began = psutil.Process().create_time()  # the interpreter and the imports are part of a run, too
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    ready = Preparation(
        experiment=config.parse(request["experiment"]), data_path=Path(request["data_path"]),
        layout=request["layout"], cases=request["cases"], findings=(), files=request["files"],
    )  # fmt: skip
    cost_of(ready.experiment.model)  # a run's process plans, too, and what that imports takes time and memory
    preparing: list[float] = []

    def listen(fraction: float | None, message: str) -> None:
        if message.startswith("Preparing"):
            preparing.append(time.time())
        _print({"fraction": fraction, "message": message})

    try:
        run_id = add_run(ready)
        execute(run_id, beside_window=request["beside_window"], job=JobControl(listen))
        ended = time.time()
    except IsocenterError as error:
        _print({"error": str(error.what), "mend": error.mend})
        return 1
    with Catalog() as catalog:
        points = catalog.metrics(run_id)
    device, memory = _memory()
    cases = [after - before for before, after in pairwise(preparing)]
    case = sum(cases) / len(cases) if cases else 0.0
    batches = _batches(ready.experiment, ready.files)
    trainer = ready.experiment.trainer
    step, validation, between, first = timed(points, batches, 1 if device == "cpu" else STRIDE, trainer.batch_size)
    after = ended - max((point.time for point in points if point.key == "val/loss"), default=ended)
    start = max(first - began - case * len(preparing) - step, 0.0) + after
    _print(asdict(Measured(step, validation, between, case, start, memory, device)))
    return 0


def timed(
    points: Sequence[MetricPoint], batches: int, stride: int, batch_size: int
) -> tuple[float, float, float, float]:
    """Seconds of a step, a validation and between two epochs, and the time of the first step, from recorded metrics.

    batches: of an epoch. stride: batches between two points of the loss. A validation is counted with all that comes of
    it: the checkpoint that it makes, too. Each is the middle one of several, since the machine has other work; the
    first epoch, which sets things up and whose end is saved, tells only where there is no other.
    """
    losses: dict[int, list[float]] = {}
    for point in points:
        if point.key == "train/loss":
            losses.setdefault(point.epoch, []).append(point.time)
    validated = {point.epoch: point.time for point in points if point.key == "val/loss"}
    first = losses[min(losses)][0]
    if len(losses) == 1:
        losses = {epoch: times[WARM_UP:] if len(times) > WARM_UP + 1 else times for epoch, times in losses.items()}
    else:
        del losses[min(losses)]
    spans = [(times[-1] - times[0]) / (len(times) - 1) for times in losses.values() if len(times) > 1]
    if spans:
        step = statistics.median(spans) / stride
    else:  # too slow for two steps in the trial's time: by the speed over all of it
        speed = next((point.value for point in reversed(points) if point.key == "train/samples_per_s"), 0.0)
        step = batch_size / speed if speed else 0.0

    def ended(epoch: int) -> float:
        """The end of an epoch's last batch."""
        without_a_point = (batches - 1) % stride
        return losses[epoch][-1] + without_a_point * step

    followed = [epoch for epoch in losses if epoch + 1 in losses]
    plain = [losses[epoch + 1][0] - ended(epoch) - step for epoch in followed if epoch not in validated]
    after = [losses[epoch + 1][0] - validated[epoch] - step for epoch in followed if epoch in validated]
    between = max(statistics.median(plain or after or [0.0]), 0.0)
    # The first validation sets things up, too; the shortest is what all further ones take.
    validation = max(min((at - ended(epoch) for epoch, at in validated.items() if epoch in losses), default=0.0), 0.0)
    saving = max(statistics.median(after) - between, 0.0) if plain and after else 0.0
    return step, validation + saving, between, first


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
