"""Fitting a tabular network in memory, without a run in the catalog: what the estimators and the folds use."""

from __future__ import annotations

import logging
import math
import warnings
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import nn

from core.control import JobControl
from core.tasks.tabular.data import Rows, one_batch, train_blocks
from core.tasks.tabular.module import TableModule


class BestInMemory(pl.Callback):
    """Keeps the weights of the lowest validation loss, and ends the training when it has not fallen for long."""

    def __init__(self, patience: int, control: JobControl) -> None:
        self.patience, self.control = patience, control
        self.best, self.waited = math.inf, 0
        self.weights: dict[str, Any] | None = None
        self.curve: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        epochs = trainer.max_epochs or 1
        self.control.progress(trainer.current_epoch / epochs, f"Epoch {trainer.current_epoch + 1} of {epochs}")

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        value = float(trainer.callback_metrics["val/loss"])
        self.curve.append(value)
        if value < self.best:
            self.best, self.waited = value, 0
            self.weights = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
            return
        self.waited += 1
        if self.patience and self.waited >= self.patience:
            trainer.should_stop = True


def fit_network(
    experiment: Any, train: Rows, val: Rows | None, *, cardinalities: list[int], classes: int, seed: int,
    control: JobControl | None = None,
) -> nn.Module:  # fmt: skip
    """Train a network of the experiment and return it, on the CPU, with its best weights where there is `val`.

    The same seed gives the same network; torch's global generator is left as it was.
    """
    settings = experiment.trainer
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on loaders, which knows only large data sets
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        torch.manual_seed(seed)
        network = experiment.model.build(train.numbers.shape[1], cardinalities, classes)
        module = TableModule(experiment, network, train, val, classes)
        best = BestInMemory(settings.early_stopping, control or JobControl())
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=settings.epochs, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=[best],
            check_val_every_n_epoch=settings.validate_every, plugins=[LightningEnvironment()],
            limit_val_batches=0 if val is None else 1.0,
        )  # fmt: skip
        trainer.fit(module, train_blocks(len(train), settings.batch_size, seed), one_batch())
    if best.weights is not None:
        network.load_state_dict(best.weights)
    return network.eval()
