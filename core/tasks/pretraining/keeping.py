"""What a pretraining leaves in its folder beside checkpoints: the encoder by itself, and reconstructions to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from core.catalog import RunRow
from core.data.stays.batches import Draws, StayRows
from core.data.stays.coding import StayCoding
from core.errors import ModelError
from core.files import replacing
from core.tasks.pretraining.encoders import PREFIX, card_of_run, seen_of_run, write_encoder

SHOWN = 3  # stays
FOLDER = "previews"


class KeepEncoder(pl.Callback):
    """Writes the best checkpoint's encoder by itself, whenever there is a better one and at the end."""

    def __init__(self, run: RunRow) -> None:
        self.run, self._kept = run, 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._keep()

    def on_fit_end(self, *_: Any) -> None:
        self._keep()

    def _keep(self) -> None:
        best = self.run.folder / "checkpoints" / "best.ckpt"
        if best.is_file() and best.stat().st_mtime != self._kept:
            self._kept = best.stat().st_mtime
            export_encoder(self.run.folder, best, self.run.folder)


def export_encoder(run_folder: Path, checkpoint: Path, out: Path) -> Path:
    """Write the encoder of a pretraining's checkpoint by itself into `out`. Raises ModelError where there is none."""
    from core.training.checkpoints import load_weights

    card = card_of_run(run_folder)
    weights = {
        name.removeprefix(PREFIX): value for name, value in load_weights(checkpoint).items() if name.startswith(PREFIX)
    }
    seen = seen_of_run(run_folder)
    if card is None or not weights:
        raise ModelError("this run holds no encoder of stays", where=run_folder)
    return write_encoder(out, weights, card, np.zeros(0, np.uint64) if seen is None else seen)


class Reconstructions(pl.Callback):
    """Writes what the objective put into the hidden cells of a few stays after each validation, in their own units.

    Each `epoch_0001.npz` holds values, observed, hidden and filled (stays, steps, variables), times, variables, ids,
    and `error`: how far off the hidden measurements were on the mean, in spreads of their variable.
    """

    def __init__(self, run_folder: Path, coding: StayCoding, rows: StayRows, ids: list[str]) -> None:
        self.folder, self.coding, self.rows, self.ids = run_folder / FOLDER, coding, rows, ids

    @torch.no_grad()
    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        count = min(SHOWN, len(self.rows))
        stays = self.rows.stays(torch.arange(count)).to(module.device)
        found = module.network.reconstruct(stays, Draws(0, 0, 0, 0, count, count))
        if found is None:
            return
        hidden, filled = (tensor.cpu().numpy() for tensor in found)
        asked = hidden & stays.observed.cpu().numpy()
        error = np.abs(filled - stays.values.cpu().numpy())[asked].mean() if asked.any() else np.nan
        own = [
            np.stack([scaling.decode(part[..., n]) for n, scaling in enumerate(self.coding.variables)], axis=-1)
            for part in (stays.values.cpu().numpy(), np.clip(filled, -self.coding.clip, self.coding.clip))
        ]
        self.folder.mkdir(exist_ok=True)
        with replacing(self.folder / f"epoch_{trainer.current_epoch + 1:04d}.npz") as part, part.open("wb") as file:
            np.savez_compressed(
                file, values=own[0].astype(np.float32), filled=own[1].astype(np.float32), hidden=hidden,
                observed=stays.observed.cpu().numpy(), times=stays.times[0].cpu().numpy(), variables=self.coding.names,
                ids=self.ids[:count], error=error,
            )  # fmt: skip
