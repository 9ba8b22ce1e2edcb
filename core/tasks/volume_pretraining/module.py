"""The LightningModule of the pretraining on scans: a network puts back what was hidden of patches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core import world
from core.data.plan import Plan
from core.training.module import TaskModule


class PretrainingModule(TaskModule):
    """Learns with the experiment's segmentation network; the objective says what its answer holds."""

    def __init__(self, experiment: Any, plan: Plan) -> None:
        super().__init__(experiment)
        self.plan = plan
        self.network = experiment.model.build(plan.channels, experiment.ssl.outputs(plan.channels))
        self.validated: list[dict[str, Any]] = []

    def forward(self, image: Tensor) -> Any:
        """(B, channels, x, y, z) -> what is told (B, outputs, x, y, z); several, finest first, if supervised so."""
        return self.network(image)

    def training_step(self, batch: dict[str, Tensor], _index: int) -> Tensor:
        return self.loss(self(batch["image"]), batch)

    def size_of(self, batch: dict[str, Tensor]) -> int:
        """How many patches a batch holds."""
        return len(batch["image"])

    def on_validation_epoch_start(self) -> None:
        self.validated = []

    def validation_step(self, batch: dict[str, Any], _index: int) -> None:
        """One scan's middle: the loss, and what the preview draws of the first."""
        answer = self(batch["image"])
        row = {"case": batch["case"][0], "loss": float(self.loss(answer, batch))}
        if not self.validated:
            row["pictures"] = [picture.cpu().numpy() for picture in self.experiment.ssl.pictures(answer, batch)]
        self.validated.append(row)

    def on_validation_epoch_end(self) -> None:
        losses = dict(world.gather([(row["case"], row["loss"]) for row in self.validated]))  # each scan once
        self.log_dict({"val/loss": float(np.mean(list(losses.values())))})

    def loss(self, answer: Tensor | list[Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The objective's; of several answers each coarser one counts half as much."""
        answers = [answer] if isinstance(answer, Tensor) else answer
        losses = [self.experiment.ssl.loss(told, coarser(batch, told.shape[2:])) for told in answers]
        weights = [0.5**level for level in range(len(losses))]
        return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)


def coarser(batch: dict[str, Tensor], size: Any) -> dict[str, Tensor]:
    """What is to be told, on the grid of a coarser answer."""
    if batch["target"].shape[2:] == size:
        return batch
    told = ("target", "counts", "places", "anatomy")
    return {key: functional.interpolate(batch[key], size, mode="area") for key in told if key in batch}
