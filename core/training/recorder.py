"""What a run tells the catalog while it trains: metrics, state, previews, events."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from core.catalog import Catalog
from core.errors import IsocenterError, TrainingFailed
from core.training import control

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25
LAST_CHECKPOINT_SECONDS = 30.0


class MetricWriter(threading.Thread):
    """Takes points without waiting and writes them to the catalog in batches from a thread of its own."""

    def __init__(self, run_id: str) -> None:
        super().__init__(name=f"metrics of {run_id}", daemon=True)
        self.run_id = run_id
        self.error: IsocenterError | None = None
        self._points: deque[tuple[str, int, int, float, float]] = deque()
        self._ended = threading.Event()

    def add(self, key: str, value: float, *, step: int, epoch: int) -> None:
        self._points.append((key, step, epoch, value, time.time()))

    def run(self) -> None:
        with Catalog() as catalog:
            while True:
                ended = self._ended.wait(FLUSH_SECONDS)
                batch = [self._points.popleft() for _ in range(len(self._points))]
                if batch:
                    try:
                        catalog.add_metrics(self.run_id, batch)
                    except IsocenterError as error:  # a full disk, say: told by the training thread
                        self.error = error
                if ended and not self._points:
                    return

    def close(self) -> None:
        """Write what is left and end."""
        self._ended.set()
        self.join()


class Recorder(pl.Callback):
    """Records the run, obeys pause and stop, keeps the schedule's progress, and ends a run that has gone wrong."""

    def __init__(
        self, run_id: str, folder: Path, catalog: Catalog, writer: MetricWriter, experiment: Any, board: Any = None
    ) -> None:
        self.run_id, self.folder, self.catalog, self.writer = run_id, folder, catalog, writer
        self.board = board  # TensorBoard's log, on request
        self.trainer_config = experiment.trainer
        self.monitor = experiment.task.monitor
        self.seed = experiment.seed
        self.elapsed = 0.0  # seconds of training, over all resumptions
        self._clock = time.monotonic()
        self._epoch_began = self._last_saved = time.monotonic()
        self._validation_seconds = 0.0
        self._validation_began = 0.0
        self._samples = 0

    def state_dict(self) -> dict[str, Any]:
        return {"elapsed": self._elapsed_now()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.elapsed = float(state["elapsed"])

    def _elapsed_now(self) -> float:
        return self.elapsed + time.monotonic() - self._clock

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._clock = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Dropout draws from torch's generator: seeded by epoch, a resumed run draws what an uninterrupted one would.
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch)
        self._epoch_began, self._samples, self._validation_seconds = time.monotonic(), 0, 0.0
        self._update_progress(trainer, module)
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1  # the end is always validated

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        control.obey(self.run_id, self._paused)
        if self.writer.error is not None:
            raise self.writer.error

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        self._samples += module.size_of(batch)
        # Reading the loss waits for a GPU; a CPU has it at once.
        if module.device.type == "cpu" or index % 10 == 0:
            loss = float(outputs["loss"])
            if not math.isfinite(loss):
                raise TrainingFailed(
                    f"the loss became {loss} in epoch {trainer.current_epoch + 1}",
                    where=self.run_id,
                    mend="The checkpoints from before are kept. Lower optimizer.lr, or use trainer.precision=32.",
                )
            self._add("train/loss", loss, trainer)
            self._add("lr", trainer.optimizers[0].param_groups[0]["lr"], trainer)
        self._update_progress(trainer, module)
        if module.progress >= 1.0:
            trainer.check_val_every_n_epoch = 1
            trainer.should_stop = True

    def _update_progress(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        progress = trainer.global_step / max(trainer.estimated_stepping_batches, 1)
        if self.trainer_config.max_minutes:
            progress = max(progress, self._elapsed_now() / (60 * self.trainer_config.max_minutes))
        module.progress = min(progress, 1.0)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validation_began = time.monotonic()

    def on_validation_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        control.obey(self.run_id, self._paused)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validation_seconds = time.monotonic() - self._validation_began
        metrics = _validation_metrics(trainer)
        for key, value in metrics.items():
            self._add(key, value, trainer)
        value = metrics.get(self.monitor, math.nan)
        log.info("epoch %d: loss %.3f, %s %.4f", trainer.current_epoch + 1, metrics["val/loss"], self.monitor, value)

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["metrics"] = _validation_metrics(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        seconds = time.monotonic() - self._epoch_began - self._validation_seconds
        self._add("train/samples_per_s", self._samples / max(seconds, 1e-6), trainer)
        self.catalog.update_run(self.run_id, epoch=trainer.current_epoch + 1)

    def _add(self, key: str, value: float, trainer: pl.Trainer) -> None:
        self.writer.add(key, value, step=trainer.global_step, epoch=trainer.current_epoch)
        if self.board is not None:
            self.board.add_scalar(key, value, trainer.global_step)

    def _paused(self, paused: bool) -> None:
        self.catalog.update_run(self.run_id, state="paused" if paused else "running")
        self.catalog.add_event(self.run_id, "info", "Paused." if paused else "Going on.")
        if paused:
            self.elapsed = self._elapsed_now()
        self._clock = time.monotonic()


def _validation_metrics(trainer: pl.Trainer) -> dict[str, float]:
    return {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/")}


class LastCheckpoint(pl.Callback):
    """Keeps `last.ckpt` at the end of an epoch, at most every half minute, and always at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved_at = -math.inf

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        final = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if final or time.monotonic() - self._saved_at >= LAST_CHECKPOINT_SECONDS:
            trainer.save_checkpoint(self.path)
            self._saved_at = time.monotonic()
