"""Learning-rate schedules by name, each a factor of the optimizer's rate as a function of training's progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from core.registry import Part, register


class Schedule(Part):
    """Base: a schedule that depends on progress alone is applied every step by the engine.

    per_epoch: it is applied after each epoch instead, by `at_epoch`.
    """

    per_epoch: ClassVar[bool] = False

    def factor(self, progress: float) -> float:
        """The factor of the learning rate at `progress` in 0..1 of all steps."""
        raise NotImplementedError

    def at_epoch(self, epoch: int, epochs: int, lr: float) -> float:
        """The factor of the learning rate `lr` in an epoch, counted from 0, of all `epochs`."""
        return self.factor(epoch / max(epochs, 1))

    def watch(self, monitor: str, tell: Callable[[str], None], *, mode: str = "max") -> Any:
        """A callback that sets the module's `rate_scale` by the monitored metric; None where progress rules alone."""
        return None


@register("scheduler")
class ConstantConfig(Schedule):
    """The same rate throughout."""

    name: Literal["constant"] = "constant"

    def factor(self, progress: float) -> float:
        return 1.0


@register("scheduler")
class CosineConfig(Schedule):
    """Half a cosine from the full rate to the last (Loshchilov & Hutter, arXiv 1608.03983)."""

    name: Literal["cosine"] = "cosine"
    final: float = Field(0.01, ge=0, le=1, title="Final factor", description="Rate at the end, as a part of the first.")

    def factor(self, progress: float) -> float:
        """
        >>> CosineConfig(final=0.0).factor(0.5)
        0.5
        """
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


@register("scheduler")
class CosineAnnealingConfig(Schedule):
    """Half a cosine from the full rate to a lowest one, a step each epoch, as torch's CosineAnnealingLR.

    Past `t_max` the rate stays at its lowest, where torch's would rise again.
    """

    per_epoch: ClassVar[bool] = True
    name: Literal["cosine_annealing"] = "cosine_annealing"
    eta_min: float = Field(1e-6, ge=0, le=1, title="Lowest rate", description="The learning rate at the end.")
    t_max: int | None = Field(
        None, ge=1, le=100_000, title="T max", description="Epochs until the lowest rate; empty: all epochs."
    )

    def factor(self, progress: float) -> float:
        return CosineConfig(final=0.0).factor(progress)

    def at_epoch(self, epoch: int, epochs: int, lr: float) -> float:
        """
        >>> CosineAnnealingConfig(eta_min=0.0).at_epoch(5, 10, 1e-4).__round__(6)
        0.5
        """
        part = min(epoch / (self.t_max or max(epochs, 1)), 1.0)
        lowest = min(self.eta_min / lr, 1.0)
        return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * part))


@register("scheduler")
class WarmupCosineConfig(Schedule):
    """A linear rise, then half a cosine."""

    name: Literal["warmup_cosine"] = "warmup_cosine"
    warmup: float = Field(
        0.03, ge=0, lt=1, title="Warm-up share", description="Part of the training over which the rate rises."
    )
    final: float = Field(
        0.01, ge=0, le=1, title="Final factor", description="Rate at the end, as a part of the highest."
    )

    def factor(self, progress: float) -> float:
        """
        >>> WarmupCosineConfig(warmup=0.5, final=0.0).factor(0.25)
        0.5
        """
        if progress < self.warmup:
            return max(progress, 1e-3) / self.warmup
        rest = (progress - self.warmup) / (1 - self.warmup)
        return CosineConfig(final=self.final).factor(rest)


@register("scheduler")
class PolyConfig(Schedule):
    """A power of what is left, as in nnU-Net (Isensee et al., Nature Methods 2021)."""

    name: Literal["poly"] = "poly"
    power: float = Field(0.9, gt=0, le=10, title="Power")

    def factor(self, progress: float) -> float:
        return max(1 - progress, 0.0) ** self.power


@register("scheduler")
class StepConfig(Schedule):
    """The rate falls by a factor at equal parts of the training."""

    name: Literal["step"] = "step"
    every: float = Field(0.3, gt=0, le=1, title="Every", description="Part of the training between two falls.")
    gamma: float = Field(0.1, gt=0, le=1, title="Factor", description="Rate after a fall, as a part of that before.")

    def factor(self, progress: float) -> float:
        return float(self.gamma ** int(progress / self.every))


@register("scheduler")
class PlateauConfig(Schedule):
    """The rate falls by a factor whenever the monitored metric has stopped rising."""

    name: Literal["plateau"] = "plateau"
    patience: int = Field(
        10, ge=0, le=100_000, title="Patience", description="Validations without a gain that are waited for."
    )
    gamma: float = Field(0.5, gt=0, lt=1, title="Factor", description="Rate after a fall, as a part of that before.")
    gain: float = Field(1e-4, ge=0, title="Least gain", description="A smaller rise of the metric is none.")
    final: float = Field(1e-3, ge=0, le=1, title="Final factor", description="The lowest rate, as a part of the first.")

    def factor(self, progress: float) -> float:
        return 1.0

    def watch(self, monitor: str, tell: Callable[[str], None], *, mode: str = "max") -> Any:
        from core.training.plateau import Plateau

        return Plateau(self, monitor, tell, mode=mode)
