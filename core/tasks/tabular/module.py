"""The LightningModule of tables: a block of minibatches a step, so that the engine's own cost is paid once a block."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.tasks.tabular.data import BLOCK, Rows
from core.tasks.tabular.figures import figures
from core.tasks.tabular.losses import consistency, cross_entropy, distillation, hard_cross_entropy, mix, soft_targets
from core.training.module import TaskModule

Array = np.ndarray[Any, Any]
CHUNK = 8192


class TableModule(TaskModule):
    """Learns one outcome of a table.

    classes: of the outcome; 1: a number is predicted, standardised by the caller.
    Lightning costs 0.6 ms a step, more than a step of a small network, so a step here is a block of minibatches that
    this module takes itself.
    """

    def __init__(self, experiment: Any, network: nn.Module, train: Rows, val: Rows | None, classes: int) -> None:
        super().__init__(experiment)
        self.automatic_optimization = False
        self.network = network
        self.classes = classes
        self._train, self._val = train, val
        settings = experiment.trainer
        self._batches = max(len(train) // min(settings.batch_size, len(train)), 1)  # in an epoch
        self._steps = self._batches * settings.epochs

    def size_of(self, batch: list[Tensor]) -> int:
        return sum(map(len, batch))

    def on_fit_start(self) -> None:
        self._train = self._train.to(self.device)
        self._val = None if self._val is None else self._val.to(self.device)

    def configure_optimizers(self) -> Any:
        return self.experiment.optimizer.build(self.parameters())

    def training_step(self, batch: list[Tensor], block: int) -> Tensor:
        """Take the minibatches of a block, each with its own step of the schedule; returns their mean loss."""
        wrapped: Any = self.optimizers()
        optimizer = wrapped.optimizer
        rate = self.experiment.optimizer.lr
        total = torch.zeros((), device=self.device)
        done = self.current_epoch * self._batches + block * BLOCK
        timed = self.progress if self.experiment.trainer.max_minutes else 0.0
        parameters = list(self.network.parameters())  # looking them up takes as long as clipping them
        for number, index in enumerate(batch):
            progress = max((done + number) / self._steps, timed)
            lr = rate * self.rate_scale * self.experiment.scheduler.factor(progress)
            for group in optimizer.param_groups:
                group["lr"] = lr
            loss = self.loss_of(index)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.clip(parameters)
            # The engine counts its steps by the wrapper, which costs as much as a small step: once a block.
            (wrapped if number == len(batch) - 1 else optimizer).step()
            total += loss.detach()
        return total / len(batch)

    @property
    def rows(self) -> int:
        """How many rows are trained on, with those that were made up."""
        return len(self._train)

    def loss_of(self, index: Tensor) -> Tensor:
        """The training loss of some of the rows, by number."""
        return self.loss(self._train.take(index))

    def clip(self, parameters: list[nn.Parameter]) -> None:
        """Limit the gradient of the parameters as the experiment says."""
        limit = self.experiment.trainer.gradient_clip
        if limit and self.experiment.trainer.gradient_clip_by == "value":
            nn.utils.clip_grad_value_(parameters, limit)
        elif limit:
            nn.utils.clip_grad_norm_(parameters, limit)

    def loss(self, rows: Rows) -> Tensor:
        """The training loss of some rows, with the experiment's augmentation, smoothing and teacher."""
        task = self.experiment.task
        numbers, codes = rows.numbers, rows.codes
        if self.classes == 1:
            value = rows.target[:, None]
            if task.mixup:
                numbers, codes, value = mix(numbers, codes, value, task.mixup)
            return _mean((self._noisy(numbers, codes)[..., 0] - value).square().mean(dim=1), rows.weight)
        if not (task.label_smoothing or task.mixup or rows.soft is not None):
            return _mean(hard_cross_entropy(self._noisy(numbers, codes), rows.target), rows.weight)
        wanted, taught, share = soft_targets(rows.target, self.classes, task.label_smoothing), rows.soft, rows.share
        if task.mixup:
            parts = [wanted] if taught is None or share is None else [wanted, taught, share[:, None]]
            numbers, codes, mixed = mix(numbers, codes, torch.cat(parts, dim=1), task.mixup)
            wanted = mixed[:, : self.classes]
            if share is not None:
                taught, share = mixed[:, self.classes : -1], mixed[:, -1]
        logits = self._noisy(numbers, codes)
        each = cross_entropy(logits, wanted)
        teacher = task.distillation
        if teacher is not None and taught is not None and share is not None:
            each = (1 - share) * each + share * distillation(logits, taught, teacher.temperature)
            if teacher.consistency:
                each = each + teacher.consistency * consistency(logits, self._noisy(numbers, codes))
        return _mean(each, rows.weight)

    def _noisy(self, numbers: Tensor, codes: Tensor) -> Tensor:
        noise = self.experiment.task.noise
        logits: Tensor = self.network(numbers + noise * torch.randn_like(numbers) if noise else numbers, codes)
        return logits

    def validation_step(self, _batch: Any, _index: int) -> None:
        """All validation rows at once, since an AUROC of batches is none of the whole."""
        if self._val is None:
            raise RuntimeError("this module was given no rows to validate on")
        found = figures(self.outputs(self._val), self._val.target.cpu().numpy())
        self.log_dict({f"val/{name}": value for name, value in found.items()}, batch_size=len(self._val))

    def outputs(self, rows: Rows) -> Array:
        """Probabilities (rows, classes), the mean over members; or predicted values (rows, 1)."""
        return outputs_of(self.network, rows, self.classes)


@torch.no_grad()
def outputs_of(network: nn.Module, rows: Rows, classes: int) -> Array:
    """What a network says of rows, (rows, classes) probabilities or with one class (rows, 1) values."""
    was_training = network.training
    network.eval()
    parts = []
    for start in range(0, len(rows), CHUNK):
        index = slice(start, start + CHUNK)
        out = network(rows.numbers[index], rows.codes[index])
        parts.append((out if classes == 1 else out.softmax(dim=-1)).mean(dim=1).cpu())
    network.train(was_training)
    return torch.cat(parts).double().numpy()


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    return each.mean() if weight is None else (each * weight).sum() / weight.sum().clamp_min(1e-12)
