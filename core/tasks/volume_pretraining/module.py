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
    """Learns with the experiment's segmentation network; its answer has a channel for each one of the scan."""

    def __init__(self, experiment: Any, plan: Plan) -> None:
        super().__init__(experiment)
        self.plan = plan
        self.network = experiment.model.build(plan.channels, plan.channels)
        self.validated: list[dict[str, Any]] = []

    def forward(self, image: Tensor) -> Any:
        """(B, channels, x, y, z) -> the same of what is told; several, finest first, with deep supervision."""
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
            pictures = {"truth": batch["target"], "seen": batch["image"], "told": answer, "counts": batch["counts"]}
            row |= {name: picture[0, 0].float().cpu().numpy() for name, picture in pictures.items()}
        self.validated.append(row)

    def on_validation_epoch_end(self) -> None:
        losses = dict(world.gather([(row["case"], row["loss"]) for row in self.validated]))  # each scan once
        self.log_dict({"val/loss": float(np.mean(list(losses.values())))})

    def loss(self, answer: Tensor | list[Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The mean square error where it counts; of several answers each coarser one counts half as much."""
        answers = [answer] if isinstance(answer, Tensor) else answer
        total, weight = torch.zeros((), device=answers[0].device), 0.0
        for level, told in enumerate(answers):
            target, counts = batch["target"], batch["counts"]
            if level:
                size = told.shape[2:]
                target = functional.interpolate(target, size, mode="area")
                counts = functional.interpolate(counts, size, mode="area")
            off, count = world.total(torch.stack([((told.float() - target) ** 2 * counts).sum(), counts.sum()]))
            total = total + 0.5**level * off / (count * told.shape[1]).clamp(min=1)
            weight += 0.5**level
        return total / weight
