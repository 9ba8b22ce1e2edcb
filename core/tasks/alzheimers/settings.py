"""The blocks of a risk experiment; their defaults are what the system was asked to have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from core.config import TrainerConfig
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Grid
from core.registry import Part


class RiskAugmentConfig(Part):
    """Random changes to each volume and value in training."""

    mirror: bool = Field(True, title="Mirror", description="Swap left and right of both images, half of the time.")
    shift: int = Field(1, ge=0, le=8, title="Shift (voxels)", description="Farthest move along each axis.")
    noise: float = Field(0.1, ge=0, le=2, title="Noise", description="On volumes, in standard deviations.")
    value_noise: float = Field(
        0.3, ge=0, le=2, title="Value noise", description="On clinical values, in standard deviations."
    )
    value_dropout: float = Field(
        0.2, ge=0, lt=1, title="Value dropout", description="Part of the clinical values hidden in a step."
    )


class RiskDataConfig(CohortDataConfig):
    """Which cohort is learned from, on what grid, and how its subjects are split."""

    shape: tuple[int, int, int] = Field(
        (91, 120, 91), title="Grid (voxels)", description="Size that MRI and PET are brought to, in MNI space."
    )
    spacing_mm: tuple[float, float, float] = Field((2.0, 2.0, 2.0), title="Spacing (mm)")
    augment: RiskAugmentConfig = Field(RiskAugmentConfig(), title="Augmentation")

    @field_validator("shape")
    @classmethod
    def _sides(cls, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        if not all(8 <= side <= 256 for side in shape):
            raise ValueError("each side has 8 to 256 voxels")
        return shape

    @field_validator("spacing_mm")
    @classmethod
    def _spacing(cls, spacing: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(0.5 <= mm <= 20 for mm in spacing):
            raise ValueError("a spacing is 0.5 to 20 mm")
        return spacing

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, self.spacing_mm)


class RiskTrainerConfig(TrainerConfig):
    """How long and on what the network is trained. On a GPU auto is 16-mixed."""

    epochs: int = Field(100, ge=1, le=100_000, title="Epochs", description="Passes over the training subjects.")
    batch_size: int = Field(4, ge=1, le=1024, title="Batch", description="Subjects in one step.")
    patches_per_case: Literal[1] = Field(1, title="Volumes per subject")
    accumulate: int = Field(
        8, ge=1, le=1024, title="Accumulation", description="Steps whose gradients are added up before an update."
    )
    ema: float = Field(
        0.0, ge=0, lt=1, title="Weight averaging", description="Decay of the running average of the weights; 0: off."
    )
