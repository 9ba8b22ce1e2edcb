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

from core import world
from core.catalog import Catalog
from core.errors import IsocenterError
from core.training.pace import Pace

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
    """Records the run in the catalog; after `pace` among the callbacks, since it reads the loss there.

    again_after: of a resumed run, the step beyond which its points are forgotten once the checkpoint is taken.
    """

    def __init__(
        self, run_id: str, catalog: Catalog, writer: MetricWriter, pace: Pace, monitor: str, board: Any = None,
        again_after: int | None = None,
    ) -> None:  # fmt: skip
        self.run_id, self.catalog, self.writer, self.pace, self.monitor = run_id, catalog, writer, pace, monitor
        self.board = board  # TensorBoard's log, on request
        self.again_after = again_after
        self._epoch_began = time.monotonic()
        self._validation_seconds = 0.0
        self._validation_began = 0.0
        self._samples = 0
        self._waited, self._step_ended = 0.0, math.nan

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Only now: a checkpoint that is refused leaves the run's curves as they are.
        if self.again_after is not None:
            self.catalog.forget_metrics(self.run_id, after_step=self.again_after)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._epoch_began, self._samples, self._validation_seconds = time.monotonic(), 0, 0.0
        self._waited, self._step_ended = 0.0, math.nan

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        if self.writer.error is not None:
            raise self.writer.error
        if index:  # the first batch of an epoch is made while nothing can be done beside it
            self._waited += time.monotonic() - self._step_ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        self._samples += module.size_of(batch) * world.size()
        if self.pace.loss is not None:
            self._add("train/loss", self.pace.loss, trainer)
            for name, value in module.step_figures.items():
                self._add(f"train/{name}", float(value), trainer)
            self._add("lr", trainer.optimizers[0].param_groups[0]["lr"], trainer)
        self._step_ended = time.monotonic()

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validation_began = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validation_seconds = time.monotonic() - self._validation_began
        metrics = _validation_metrics(trainer)
        for key, value in [*metrics.items(), *_logged(trainer, "train/").items()]:
            self._add(key, value, trainer)
        value = metrics.get(self.monitor, math.nan)
        log.info("epoch %d: loss %.3f, %s %.4f", trainer.current_epoch + 1, metrics["val/loss"], self.monitor, value)

    def on_save_checkpoint(self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["metrics"] = _validation_metrics(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        seconds = time.monotonic() - self._epoch_began - self._validation_seconds
        self._add("train/samples_per_s", self._samples / max(seconds, 1e-6), trainer)
        # From the end of a step to the start of the next: waiting for its batch, and what the engine costs.
        self._add("train/waiting_share", self._waited / max(seconds, 1e-6), trainer)
        self.catalog.update_run(self.run_id, epoch=trainer.current_epoch + 1)

    def _add(self, key: str, value: float, trainer: pl.Trainer) -> None:
        self.writer.add(key, value, step=trainer.global_step, epoch=trainer.current_epoch)
        if self.board is not None:
            self.board.add_scalar(key, value, trainer.global_step)


def record_pause(catalog: Catalog, run_id: str, paused: bool) -> None:
    """A pause that begins or ends, as state and event of the run."""
    catalog.update_run(run_id, state="paused" if paused else "running")
    catalog.add_event(run_id, "info", "Paused." if paused else "Going on.")


def _validation_metrics(trainer: pl.Trainer) -> dict[str, float]:
    return _logged(trainer, "val/")


def _logged(trainer: pl.Trainer, of: str) -> dict[str, float]:
    return {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith(of)}


class LastCheckpoint(pl.Callback):
    """Keeps `last.ckpt` at the end of an epoch, at most every half minute, and always at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved_at = -math.inf

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        final = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        waited = time.monotonic() - self._saved_at
        if final or world.share_numbers(waited)[0] >= LAST_CHECKPOINT_SECONDS:  # all processes save, or none
            trainer.save_checkpoint(self.path)
            self._saved_at = time.monotonic()
