"""Lowering the learning rate when the monitored metric gets no better."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl


class Plateau(pl.Callback):
    """Multiplies the module's `rate_scale` by `gamma` after more than `patience` validations without a gain."""

    def __init__(self, config: Any, monitor: str, tell: Callable[[str], None], *, mode: str = "max") -> None:
        self.config, self.monitor, self.tell = config, monitor, tell
        self.sign = 1.0 if mode == "max" else -1.0
        self.best, self.waited, self.scale = -math.inf, 0, 1.0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "scale": self.scale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.scale = float(state["best"]), int(state["waited"]), float(state["scale"])

    def on_fit_start(self, trainer: pl.Trainer, module: Any) -> None:
        module.rate_scale = self.scale

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        value = self.sign * float(trainer.callback_metrics[self.monitor])
        if value > self.best + self.config.gain:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited <= self.config.patience or self.scale <= self.config.final:
            return
        self.waited = 0
        self.scale = max(self.scale * self.config.gamma, self.config.final)
        module.rate_scale = self.scale
        self.tell(
            f"Epoch {trainer.current_epoch + 1}: {self.monitor} gets no better; the learning rate falls to"
            f" {self.scale:g} of the first."
        )
