"""The test of a finished run: its best weights on the stays that were kept out of everything."""

from __future__ import annotations

import copy
import time
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from core.catalog import Catalog, RunRow
from core.tasks.finetuning.module import answers, figures
from core.training.checkpoints import load_weights


class TestAtEnd(pl.Callback):
    """Writes `test/...` of the best checkpoint when a fit ends well."""

    def __init__(self, run: RunRow, batches: Any) -> None:
        self.run, self.batches = run, batches

    def on_fit_end(self, trainer: pl.Trainer, module: Any) -> None:
        best = self.run.folder / "checkpoints" / "best.ckpt"
        if not best.is_file():
            return
        network = copy.deepcopy(module.network)
        network.load_state_dict(load_weights(best), strict=False)
        network.eval().to(module.device)
        with torch.inference_mode():
            parts = [
                (answers(network(batch.stays.to(module.device)), module.target), batch.target.numpy())
                for batch in self.batches
            ]
        outputs, target = (np.concatenate(part) for part in zip(*parts, strict=True))
        found = figures(outputs, target, module.target)
        now, step, epoch = time.time(), trainer.global_step, max(trainer.current_epoch - 1, 0)
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.items() if name != "loss")
        with Catalog() as catalog:
            catalog.add_metrics(self.run.id, [(f"test/{name}", step, epoch, v, now) for name, v in found.items()])
            catalog.add_event(self.run.id, "info", f"{len(target):,} stays never trained on: {told}.")
