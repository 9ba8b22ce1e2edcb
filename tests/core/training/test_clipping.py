"""Gradients are clipped in every precision, whatever kernel takes the step."""

from __future__ import annotations

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from core.training.module import TaskModule
from core.training.optimizers import AdamWConfig
from core.training.schedulers import ConstantConfig


class Steep(TaskModule):
    """A loss whose gradient is large, and what is left of it when the step is taken."""

    def __init__(self) -> None:
        super().__init__(SimpleNamespace(optimizer=AdamWConfig(), scheduler=ConstantConfig()))
        self.network = nn.Linear(4, 4)
        self.left: list[torch.Tensor] = []

    def training_step(self, batch: torch.Tensor, _index: int) -> torch.Tensor:
        return 1e3 * self.network(batch).float().square().mean()

    def on_before_zero_grad(self, _optimizer: object) -> None:
        if self.network.weight.grad is not None:
            self.left.append(torch.cat([p.grad.flatten() for p in self.parameters()]))


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
@pytest.mark.parametrize("by", ["norm", "value"])
def test_a_steep_step_is_clipped_in_every_precision(precision, by, tmp_path):
    module = Steep()
    trainer = pl.Trainer(
        accelerator="cpu", precision=precision, max_epochs=2, gradient_clip_val=0.5, gradient_clip_algorithm=by,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(module, DataLoader(torch.ones(2, 4), batch_size=2))
    left = torch.stack(module.left)
    largest = left.norm(dim=1).max() if by == "norm" else left.abs().max()
    assert float(largest) == pytest.approx(0.5, abs=1e-3)
