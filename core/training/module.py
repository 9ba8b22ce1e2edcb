"""What every task's LightningModule shares: the experiment's optimizer and schedule, and what the engine sets."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn


class TaskModule(pl.LightningModule):
    """Base of the tasks' modules.

    network: what is kept in checkpoints and packages; a subclass makes it.
    progress, rate_scale: 0..1 of the training, which a time limit may rule, and the part of the learning rate that a
    plateau has left. The engine sets both.
    """

    network: nn.Module

    def __init__(self, experiment: Any) -> None:
        super().__init__()
        self.experiment = experiment
        self.progress, self.rate_scale = 0.0, 1.0

    def size_of(self, batch: Any) -> int:
        """How many samples a batch holds, for the speed that is shown."""
        raise NotImplementedError

    def configure_optimizers(self) -> Any:
        optimizer = self.experiment.optimizer.build(self.parameters())
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda _step: self.rate_scale * self.experiment.scheduler.factor(self.progress)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
