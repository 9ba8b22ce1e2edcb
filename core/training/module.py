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
    step_figures: what the last training step tells beside its loss, recorded as `train/<name>`.
    """

    network: nn.Module

    def __init__(self, experiment: Any) -> None:
        super().__init__()
        self.experiment = experiment
        self.progress, self.rate_scale = 0.0, 1.0
        self.step_figures: dict[str, Any] = {}

    def size_of(self, batch: Any) -> int:
        """How many samples a batch holds, for the speed that is shown."""
        raise NotImplementedError

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """As the trainer's own, which refuses fused optimizers in every mixed precision.

        They are used on CPUs only, where no gradient is scaled, so clipping them is right.
        """
        if not gradient_clip_val:
            return
        if self.device.type != "cpu":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_algorithm == "value":
            nn.utils.clip_grad_value_(self.parameters(), gradient_clip_val)
        else:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def trained(self) -> Any:
        """What the optimizer is given: all parameters, or groups of them with learning rates of their own."""
        return self.parameters()

    def configure_optimizers(self) -> Any:
        optimizer = self.experiment.optimizer.build(self.trained())
        if self.experiment.scheduler.per_epoch:
            lr, epochs = self.experiment.optimizer.lr, self.experiment.trainer.epochs
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda epoch: self.rate_scale * self.experiment.scheduler.at_epoch(epoch, epochs, lr)
            )
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda _step: self.rate_scale * self.experiment.scheduler.factor(self.progress)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
