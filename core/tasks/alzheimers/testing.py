"""The test of a finished run: its weights on the subjects that were kept out of everything."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from core.catalog import Catalog, RunRow
from core.tasks.alzheimers.module import figures
from core.training.checkpoints import load_weights


class TestAtEnd(pl.Callback):
    """Writes `test/...` of the weights that are kept when a fit ends well."""

    def __init__(self, run: RunRow, batches: Any) -> None:
        self.run, self.batches = run, batches

    def on_fit_end(self, trainer: pl.Trainer, module: Any) -> None:
        kept = Path(self.run.folder / "checkpoints" / f"{module.experiment.task.keep}.ckpt")
        if not kept.is_file():
            return
        network = copy.deepcopy(module.network)
        network.load_state_dict(load_weights(kept))
        network.eval().to(module.device)
        scores, target = [], []
        with torch.inference_mode():
            for batch in self.batches:
                held = {name: value.to(module.device) for name, value in batch.items()}
                images = held["images"]
                scores += network(images[:, :1], images[:, 1:], held["clinical"], held["present"]).tolist()
                target += batch["target"].tolist()
        found = figures(np.array(scores), np.array(target), module.threshold)
        now, step, epoch = time.time(), trainer.global_step, max(trainer.current_epoch - 1, 0)
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.items() if name != "loss")
        with Catalog() as catalog:
            catalog.add_metrics(self.run.id, [(f"test/{name}", step, epoch, v, now) for name, v in found.items()])
            catalog.add_event(self.run.id, "info", f"{len(target)} subjects never trained on: {told}.")
