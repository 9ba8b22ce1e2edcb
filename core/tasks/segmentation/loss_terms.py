"""The terms that losses are made of: logits (B, C, x, y, z) and class indices (B, 1, x, y, z) -> scalar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core import world
from core.data.plan import IGNORED, Plan
from core.data.regions import inside

SMOOTH = 1e-5  # keeps a structure that is in neither from dividing by zero; its overlap is then 1


class Overlap(nn.Module):
    """1 - Tversky index, summed over the batch and averaged over the structures, without background.

    The index is TP / (TP + false_alarm * FP + miss * FN) of the probabilities; with 0.5 and 0.5 it is Dice.
    inside: of regions that may overlap, the table of core.data.regions.inside; each channel is then one of them.
    """

    def __init__(
        self, weights: Tensor | None, *, ignore: bool, false_alarm: float = 0.5, miss: float = 0.5,
        inside: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.register_buffer("inside", inside, persistent=False)
        self.ignore, self.false_alarm, self.miss = ignore, false_alarm, miss

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.inside is not None:
            found = logits.float().sigmoid()
            truth = in_regions(target, self.inside)
        else:
            found = torch.softmax(logits.float(), dim=1)[:, 1:]
            classes = torch.arange(1, logits.shape[1], device=logits.device).reshape(1, -1, *[1] * (logits.ndim - 2))
            truth = (target == classes).to(found.dtype)  # an ignored voxel is of none
        if self.ignore:
            found = found * (target != IGNORED)
        over = [0, *range(2, logits.ndim)]
        true, marked, there = world.total(torch.stack([part.sum(over) for part in (found * truth, found, truth)]))
        false_alarms, misses = marked - true, there - true
        index = (true + SMOOTH / 2) / (true + self.false_alarm * false_alarms + self.miss * misses + SMOOTH / 2)
        if self.weights is None:
            return 1 - index.mean()
        weights = self.weights[1:]
        return 1 - (index * weights).sum() / weights.sum().clamp(min=SMOOTH)


class Voxelwise(nn.Module):
    """Cross-entropy, each voxel's times (1 - probability of its class) ^ gamma; with gamma 0 the plain one."""

    def __init__(self, weights: Tensor | None, *, gamma: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        classes = target[:, 0].long()
        log = torch.log_softmax(logits.float(), dim=1)
        # Sums and counts, since the mean over no voxels at all (every one ignored) would be no number.
        counted = (classes != IGNORED).to(log.dtype)
        picked = log.gather(1, torch.where(classes == IGNORED, 0, classes)[:, None])[:, 0]
        if self.weights is not None:
            counted = counted * self.weights[torch.where(classes == IGNORED, 0, classes)]
        worth = counted * (1 - picked.exp()).clamp(min=0) ** self.gamma if self.gamma else counted
        loss, count = world.total(torch.stack([(worth * picked).sum(), counted.sum()]))
        return -loss / count.clamp(min=SMOOTH)


class YesOrNo(nn.Module):
    """Binary cross-entropy of each region, each voxel's times (1 - probability of its answer) ^ gamma."""

    def __init__(self, inside: Tensor, *, gamma: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("inside", inside, persistent=False)
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        truth = in_regions(target, self.inside)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
        if self.gamma:
            loss = loss * (1 - (-loss).exp()).clamp(min=0) ** self.gamma
        counted = (target != IGNORED).to(loss.dtype)
        total, count = world.total(torch.stack([(loss * counted).sum(), counted.sum()]))
        return total / (count * logits.shape[1]).clamp(min=SMOOTH)


def in_regions(target: Tensor, inside: Tensor) -> Tensor:
    """Class indices (B, 1, x, y, z) -> whether each voxel is in each region, (B, regions, x, y, z) of 0 and 1."""
    return inside[target[:, 0].long()].movedim(-1, 1).float()


class Sum(nn.Module):
    """Several terms, weighted."""

    def __init__(self, terms: Sequence[nn.Module], factors: Sequence[float]) -> None:
        super().__init__()
        self.terms, self.factors = nn.ModuleList(terms), tuple(factors)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        parts = [factor * term(logits, target) for term, factor in zip(self.terms, self.factors, strict=True) if factor]
        return torch.stack(parts).sum()


class Supervised(nn.Module):
    """A loss of one map of logits, or of several, finest first: each coarser one counts half as much."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Tensor | list[Tensor], target: Tensor) -> Tensor:
        if isinstance(output, Tensor):
            whole: Tensor = self.loss(output, target)
            return whole
        total, weight = 0.0, 0.0
        for level, logits in enumerate(output):
            # Nearest: a coarser voxel has the class of one fine voxel, and the ignored class stays what it is.
            coarse = functional.interpolate(target.float(), logits.shape[2:]).to(target.dtype) if level else target
            total = total + 0.5**level * self.loss(logits, coarse)
            weight += 0.5**level
        return torch.as_tensor(total / weight)


def build_loss(task: Any, plan: Plan) -> Supervised:
    """The task's loss for the plan's classes or regions."""
    ignore = plan.ignore_label is not None
    if plan.overlapping:
        return Supervised(task.loss.build_regions(torch.from_numpy(inside(plan)), ignore=ignore))
    return Supervised(task.loss.build(class_weights(task, plan), ignore=ignore))


def class_weights(task: Any, plan: Plan) -> Tensor | None:
    """Weight of each class, background first: as given, or the inverse of its share of the voxels, with mean 1."""
    if task.class_weights is not None:
        return torch.tensor(task.class_weights, dtype=torch.float32)
    if not task.balance_classes or plan.class_shares is None:
        return None
    inverse = 1 / torch.tensor(plan.class_shares, dtype=torch.float32)
    return inverse / inverse.mean()
