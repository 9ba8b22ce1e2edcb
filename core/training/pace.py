"""What rules the training in every process alike: seeds, requests, the schedule's progress, and the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch

from core import world
from core.errors import TrainingFailed
from core.training import control
from core.training.control import StopRequested


class Pace(pl.Callback):
    """Obeys pause and stop between steps, keeps the schedule's progress, and ends a run that is over or has gone wrong.

    Several processes follow the first one's requests and clock, so that none waits for another that has left.
    on_pause: told when a pause begins (True) and ends (False), in the first process.
    loss: of the last step, the mean of all processes; None where it was not read.
    """

    def __init__(self, run_id: str, experiment: Any, on_pause: Callable[[bool], None]) -> None:
        self.run_id, self.seed, self.on_pause = run_id, experiment.seed, on_pause
        self.max_seconds = 60 * experiment.trainer.max_minutes
        self.loss: float | None = None
        self.elapsed = 0.0  # seconds of training, over all resumptions, as of the last step
        self._before, self._clock = 0.0, time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"elapsed": self._now()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.elapsed = self._before = float(state["elapsed"])

    def _now(self) -> float:
        return self._before + time.monotonic() - self._clock

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._clock = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Dropout draws from torch's generator: seeded by epoch, a resumed run draws what an uninterrupted one would.
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch + world.rank() * 1_000_003)
        self._update_progress(trainer, module)
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1  # the end is always validated

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        self._obey()

    def on_validation_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if world.size() == 1:  # several processes validate different numbers of cases: they stop after it
            self._obey()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        # Reading the loss waits for a GPU; a CPU has it at once.
        read = module.device.type == "cpu" or index % 10 == 0
        self.loss = world.mean(float(outputs["loss"])) if read else None
        if self.loss is not None and not math.isfinite(self.loss):
            raise TrainingFailed(
                f"the loss became {self.loss} in epoch {trainer.current_epoch + 1}",
                where=self.run_id,
                mend="The checkpoints from before are kept. Lower optimizer.lr, or use trainer.precision=32.",
            )
        self._update_progress(trainer, module)
        if module.progress >= 1.0:
            trainer.check_val_every_n_epoch = 1
            trainer.should_stop = True

    def _update_progress(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        progress = trainer.global_step / max(trainer.estimated_stepping_batches, 1)
        if self.max_seconds:
            progress = max(progress, self.elapsed / self.max_seconds)
        module.progress = min(progress, 1.0)

    def _obey(self) -> None:
        request = 0.0
        if world.first():
            try:
                control.obey(self.run_id, self._paused)
            except StopRequested as asked:
                request = 2.0 if asked.discard else 1.0
        request, self.elapsed = world.share_numbers(request, self._now())
        if request:
            raise StopRequested(discard=request == 2)

    def _paused(self, paused: bool) -> None:
        if paused:
            self._before = self._now()
        self._clock = time.monotonic()
        self.on_pause(paused)
