"""The losses of segmentation, from MONAI, set up as nnU-Net does: Dice without background, summed over the batch."""

from __future__ import annotations

from typing import Any

import torch
from monai.losses import DiceCELoss, DiceLoss
from torch import Tensor, nn

from core.errors import ConfigError


class CrossEntropy(nn.Module):
    """Cross-entropy of logits (B, C, ...) against class indices (B, 1, ...)."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.loss = nn.CrossEntropyLoss(weight=weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.loss(logits, target[:, 0].long())
        return value


def build_loss(task: Any, classes: int) -> nn.Module:
    """The task's loss: logits (B, classes, x, y, z), class indices (B, 1, x, y, z) -> scalar."""
    weight = None
    if task.class_weights is not None:
        if len(task.class_weights) != classes:
            raise ConfigError(
                f"task.class_weights has {len(task.class_weights)} values for {classes} classes (background first)"
            )
        weight = torch.tensor(task.class_weights)
    common: dict[str, Any] = {
        "include_background": False, "to_onehot_y": True, "softmax": True, "batch": True,
        "smooth_nr": 1e-5, "smooth_dr": 1e-5,
    }  # fmt: skip
    if task.loss == "dice":
        return DiceLoss(**common)
    if task.loss == "ce":
        return CrossEntropy(weight)
    return DiceCELoss(**common, weight=weight)
