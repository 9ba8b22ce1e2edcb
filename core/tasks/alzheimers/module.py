"""The LightningModule of risk scores: squared error, parts hidden at random, metrics over whole splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core import world
from core.metrics import classification, regression
from core.tasks.alzheimers.data import Batch
from core.tasks.alzheimers.plan import RiskPlan
from core.training.module import TaskModule

Array = np.ndarray[Any, Any]


def figures(scores: Array, target: Array, threshold: float) -> dict[str, float]:
    """loss (MSE), mse, mae, r2, pearson, and auroc of scores of at least `threshold` where both kinds are there."""
    found = regression.figures(scores, target)
    high = np.asarray(target) >= threshold
    if 0 < high.sum() < len(high):
        found["auroc"] = classification.auroc(np.asarray(scores), high)
    return found


def hide(batch: Batch, chance: float) -> tuple[Tensor, Tensor]:
    """present (B, 2) and clinical (B, values) with each part hidden by `chance`; never all that a subject has."""
    present, clinical = batch["present"], batch["clinical"]
    if not chance:
        return present, clinical
    there = torch.cat([present, clinical.isfinite().any(dim=1, keepdim=True)], dim=1)
    kept = there & (torch.rand(there.shape, device=there.device) >= chance)
    # Of a subject that would have nothing left, one part that it has.
    one = functional.one_hot((torch.rand(there.shape, device=there.device) * there).argmax(dim=1), 3).bool() & there
    kept = torch.where(kept.any(dim=1, keepdim=True), kept, one)
    return kept[:, :2], clinical.masked_fill(~kept[:, 2:], torch.nan)


class RiskModule(TaskModule):
    """Learns the score of subjects; `train/...` and `val/...` are over the whole split at the end of each epoch."""

    def __init__(self, experiment: Any, plan: RiskPlan) -> None:
        super().__init__(experiment)
        self.network = experiment.model.build(plan.shape, len(plan.values))
        self.network.begin_at(plan.mean_score)
        self.threshold = plan.threshold
        self._seen: dict[str, list[tuple[int, float, float]]] = {"train": [], "val": [], "test": []}

    def size_of(self, batch: Batch) -> int:
        return len(batch["target"])

    def scores(self, batch: Batch, present: Tensor, clinical: Tensor) -> Tensor:
        images = batch["images"]
        found: Tensor = self.network(images[:, :1], images[:, 1:], clinical, present)
        return found

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The squared error of the score from what is left of each subject, and of those from each part alone."""
        task, images, target = self.experiment.task, batch["images"], batch["target"]
        tokens = self.network.encode(images[:, :1], images[:, 1:], batch["present"])
        present, clinical = hide(batch, task.modality_dropout)
        scores = self.network.each(self.network.without(tokens, present), clinical)  # of each member by itself
        self._remember("train", batch, scores.mean(dim=0))
        loss = functional.mse_loss(scores, target.expand_as(scores))
        if not task.parts_weight:
            return loss
        alone = [self._alone(part, tokens, batch) for part in range(3)]
        return (1 - task.parts_weight) * loss + task.parts_weight * torch.stack(alone).mean()

    def _alone(self, part: int, tokens: Any, batch: Batch) -> Tensor:
        """The squared error from MRI (0), PET (1) or clinical values (2) alone, over the subjects that have them."""
        kept = torch.zeros_like(batch["present"])
        clinical = batch["clinical"]
        if part < 2:
            there = batch["present"][:, part]
            kept[:, part] = there
            clinical = torch.full_like(clinical, torch.nan)
        else:
            there = clinical.isfinite().any(dim=1)
        scores = self.network.each(self.network.without(tokens, kept), clinical)
        errors = (scores - batch["target"]).square().mean(dim=0) * there
        return errors.sum() / there.sum().clamp_min(1)

    def validation_step(self, batch: Batch, index: int) -> None:
        self._remember("val", batch, self.scores(batch, batch["present"], batch["clinical"]))

    def test_step(self, batch: Batch, index: int) -> None:
        self._remember("test", batch, self.scores(batch, batch["present"], batch["clinical"]))

    def predict_step(self, batch: Batch, index: int) -> Tensor:
        return self.scores(batch, batch["present"], batch["clinical"])

    def on_train_epoch_start(self) -> None:
        self._seen["train"].clear()

    def on_validation_epoch_start(self) -> None:
        self._seen["val"].clear()

    def on_validation_epoch_end(self) -> None:
        # With those of the training epoch that ends here, seen with dropout and hidden parts.
        self._log("train")
        self._log("val")

    def on_test_epoch_end(self) -> None:
        self._log("test")

    def _remember(self, part: str, batch: Batch, scores: Tensor) -> None:
        rows = zip(batch["row"].tolist(), scores.detach().tolist(), batch["target"].tolist(), strict=True)
        self._seen[part] += rows

    def _log(self, part: str) -> None:
        """Metrics over the whole split; several processes put theirs together, each row once."""
        seen = {row: (score, target) for row, score, target in world.gather(self._seen[part])}
        self._seen[part] = []
        if not seen:
            return
        scores, target = np.array(list(seen.values())).T
        found = figures(scores, target, self.threshold)
        self.log_dict({f"{part}/{name}": value for name, value in found.items()}, rank_zero_only=False)
