"""The LightningModule of fine-tuning: losses for rare outcomes, figures over whole splits, and what is trained when."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core import world
from core.data.stays.batches import Batch
from core.metrics import classification, regression
from core.models.nets.stays import StayBatch
from core.tasks.finetuning.network import StayNetwork
from core.tasks.finetuning.outcome import Target
from core.tasks.finetuning.resampling import shortened, weights_of_members
from core.training.module import TaskModule

Array = np.ndarray[Any, Any]
SHOWN = ("accuracy", "auroc", "auprc", "f1", "mse", "mae", "r2", "pearson", "brier", "ece", "balanced_accuracy")


class FinetuningModule(TaskModule):
    """Learns a target of stays.

    weights: of each class in the loss, (classes,), or of the two answers (0, 1). count: of the training stays.
    """

    network: StayNetwork

    drawn: Tensor | None

    def __init__(self, experiment: Any, network: StayNetwork, target: Target, weights: Tensor, count: int) -> None:
        super().__init__(experiment)
        self.network, self.target = network, target
        self.register_buffer("weights", weights, persistent=False)
        self._trained: list[tuple[Array, Array]] = []
        self._validated: list[tuple[Array, Array]] = []
        task = experiment.task
        # Processes that share a run exchange the gradients of all parameters, so there none is frozen for a time.
        self._held = task.mode == "gradual"
        network.freeze(task.mode == "probe" or (self._held and world.size() == 1))
        # The parts whose stays look alike each time to an encoder that stays as it is.
        self._once = {"val", "train"} if task.mode == "probe" else set()
        if task.hide or task.truncate:
            self._once.discard("train")
        several = task.resample and task.members > 1
        drawn = weights_of_members(task.members, count, experiment.seed) if several else None
        self.register_buffer("drawn", drawn, persistent=False)
        self._encoded: dict[str, list[Tensor]] = {}
        if task.mode == "probe":
            network.encoders.requires_grad_(False)

    def trained(self) -> Any:
        return self.network.groups(self.experiment.optimizer.lr, self.experiment.task.layer_decay)

    def on_train_epoch_start(self) -> None:
        self._trained = []
        if self._held and self.current_epoch + 1 >= self.experiment.task.unfreeze_epoch:
            self._held = False
            self.network.freeze(False)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        if self._held:
            for parameter in self.network.encoders.parameters():
                parameter.grad = None  # held, also from the optimizer's memory
        members = self.experiment.task.members
        if members > 1:
            # The loss is the mean over members, none of which knows another's weights: each learns as if alone.
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    parameter.grad *= members
            if gradient_clip_val and gradient_clip_algorithm != "value":
                gradient_clip_val *= math.sqrt(members)
        super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def size_of(self, batch: Batch) -> int:
        return len(batch.rows)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        stays, hide = batch.stays, self.experiment.task.hide
        if hide:
            kept = batch.draws.uniform(0, *stays.values.shape[1:]) >= hide
            stays = stays.with_cells(stays.observed & kept.to(self.device))
        stays = shortened(stays, batch.draws, self.experiment.task.truncate)
        outputs = self.network.answer(self._seen("train", batch, stays))
        self._trained.append((answers(outputs.detach(), self.target), batch.target.cpu().numpy()))
        return self.loss(outputs, batch.target, None if self.drawn is None else self.drawn[:, batch.rows])

    def loss(self, outputs: Tensor, target: Tensor, drawn: Tensor | None = None) -> Tensor:
        """The mean over members (members, B, outputs) and stays, weighted by class, of the whole batch.

        drawn: (members, B), how much each stay counts for each member.
        """
        each, weight = self._each(outputs, target)
        weight = weight.expand_as(each)
        if drawn is not None:
            weight = weight * drawn.reshape(*drawn.shape, *(1,) * (each.ndim - 2))
        total, count = world.total(torch.stack([(each * weight).sum(), weight.sum()]))
        return total / count.detach().clamp_min(1e-9)

    def _each(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        task, kind = self.experiment.task, self.target.kind
        focal = task.focal_gamma if task.loss == "focal" else 0.0
        if kind == "regression":
            each = (outputs[..., 0] - target).square()
            return each, torch.ones_like(target)
        if kind == "multiclass":
            log = outputs.log_softmax(-1)
            picked = log.gather(-1, target.expand(len(outputs), -1)[..., None])[..., 0]
            each = -picked * (1 - picked.exp()).clamp_min(0) ** focal if focal else -picked
            return each, self.weights[target]
        wanted = (target[:, None] if kind == "binary" else target).to(outputs.dtype)
        known = torch.isfinite(wanted)
        wanted = torch.where(known, wanted, 0)
        each = functional.binary_cross_entropy_with_logits(outputs, wanted.expand_as(outputs), reduction="none")
        if focal:
            each = each * (1 - (-each).exp()).clamp_min(0) ** focal
        weight = torch.where(wanted > 0.5, self.weights[..., 1], self.weights[..., 0]) * known
        return each, weight

    def on_validation_epoch_start(self) -> None:
        self._validated = []

    def validation_step(self, batch: Batch, _index: int) -> None:
        seen = self._seen("val", batch, batch.stays)
        outputs = self.network.blended(self.network.answer(seen), seen)
        self._validated.append((answers(outputs, self.target), batch.target.cpu().numpy()))

    def _seen(self, part: str, batch: Batch, stays: StayBatch) -> list[Tensor]:
        """What the heads see of a batch; an encoder that stays as it is describes each stay only once."""
        if part not in self._once:
            return self.network.encode(stays)
        kept = self._encoded.get(part)
        if kept is None or bool(torch.isnan(kept[0][batch.rows]).any()):
            found = self.network.encode(stays)
            if kept is None:
                source = self.trainer.train_dataloader if part == "train" else self.trainer.val_dataloaders
                count = len(source.dataset.stays)
                kept = [torch.full((count, of.shape[1]), torch.nan, device=of.device) for of in found]
                self._encoded[part] = kept
            for whole, of in zip(kept, found, strict=True):
                whole[batch.rows] = of.detach()
        return [whole[batch.rows] for whole in kept]

    def on_validation_epoch_end(self) -> None:
        metrics = {f"val/{name}": value for name, value in self._figures(self._validated).items()}
        trained = world.gather(self._trained)
        if trained:
            found = self._figures(trained)
            metrics |= {f"train/{name}": found[name] for name in SHOWN if name in found}
        self.log_dict(metrics)

    def _figures(self, parts: list[tuple[Array, Array]]) -> dict[str, float]:
        outputs, target = (np.concatenate(part) for part in zip(*parts, strict=True))
        return figures(outputs, target, self.target)


def answers(outputs: Tensor, target: Target) -> Array:
    """Raw outputs (members, B, outputs) -> the members' mean: probabilities (B,) or (B, classes), or values (B,)."""
    if target.kind == "regression":
        return outputs[..., 0].double().mean(0).cpu().numpy() * target.scale + target.mean
    if target.kind == "multiclass":
        return outputs.double().softmax(-1).mean(0).cpu().numpy()
    found: Array = outputs.double().sigmoid().mean(0).cpu().numpy()
    return found[:, 0] if target.kind == "binary" else found


def figures(outputs: Array, target: Array, of: Target, *, threshold: float = 0.5) -> dict[str, float]:
    """Metrics by name of `answers` and targets as the target's `of` gives them."""
    if of.kind == "regression":
        return regression.figures(outputs, target.astype(np.float64) * of.scale + of.mean)
    return classification.figures(outputs, target, threshold=threshold)


def class_weights(task: Any, target: Target, value: Array) -> Tensor:
    """The weight of each class in the loss; of labels a row for each, (labels, 2), or (2,) for yes or no."""
    if target.kind == "regression":
        return torch.ones(2)
    if target.kind == "multilabel":
        yes = np.nanmean(value, axis=0).clip(1e-6, 1 - 1e-6)
        found = np.stack([0.5 / (1 - yes), 0.5 / yes], axis=1) if task.balance == "weights" else np.ones((len(yes), 2))
        return torch.as_tensor(found, dtype=torch.float32)
    count = np.bincount(value.astype(int), minlength=len(target.classes)).clip(1)
    found = len(value) / (len(count) * count) if task.balance == "weights" else np.ones(len(count))
    if task.class_weights:
        found = found * np.asarray(task.class_weights)
    return torch.as_tensor(found, dtype=torch.float32)


def sampling(target: Target, value: Array) -> Array:
    """How often each stay is drawn so that each outcome is met as often, (stays,), summing to 1."""
    if target.kind == "regression":
        return np.full(len(value), 1 / len(value))
    if target.kind == "multilabel":
        share = np.nanmean(value, axis=0).clip(1e-6)
        found = 1 + np.nansum(value * (1 / share), axis=1)
        return found / found.sum()
    code = value.astype(int)
    found = 1 / np.bincount(code)[code]
    return found / found.sum()
