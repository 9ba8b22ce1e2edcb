"""Schedules that are stepped each epoch, as the trainer sets them."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from core.training.module import TaskModule
from core.training.optimizers import AdamWConfig
from core.training.schedulers import CosineAnnealingConfig


class _Experiment:
    optimizer = AdamWConfig(lr=1e-4)

    def __init__(self, scheduler: CosineAnnealingConfig, epochs: int) -> None:
        self.scheduler = scheduler
        self.trainer = type("Trainer", (), {"epochs": epochs})()


class _Module(TaskModule):
    def __init__(self, experiment: Any) -> None:
        super().__init__(experiment)
        self.network = nn.Linear(1, 1)
        self.rates: list[float] = []

    def training_step(self, batch: Tensor, _index: int) -> Tensor:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return self.network(batch).square().mean()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("t_max", [None, 2])
def test_cosine_annealing_is_torchs_own_epoch_by_epoch(t_max: int | None) -> None:
    epochs, batches = 4, 3
    module = _Module(_Experiment(CosineAnnealingConfig(eta_min=1e-6, t_max=t_max), epochs))
    trainer = pl.Trainer(
        max_epochs=epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(torch.ones(batches, 1)))
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=1e-4)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, t_max or epochs, eta_min=1e-6)
    for epoch in range((t_max or epochs) + 1 if t_max else epochs):
        assert module.rates[epoch * batches : (epoch + 1) * batches] == pytest.approx([torchs.get_last_lr()[0]] * 3)
        optimizer.step()
        torchs.step()
    if t_max:  # and stays at its lowest
        assert module.rates[-1] == pytest.approx(1e-6)
