"""The blocks of an experiment on stays that pretraining and fine-tuning share."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from core.config import TrainerConfig
from core.registry import Part


class StayDataConfig(Part):
    """Which stays are learned from, and how they are laid on a grid."""

    path: Path | None = Field(
        None,
        title="Stays",
        description="A folder, an archive or a table: time, variable and value, or one column each.",
    )
    outcomes: Path | None = Field(
        None, title="Outcomes", description="A table with one row a stay; empty: the one that lies beside the stays."
    )
    parts: list[str] = Field(
        [],
        max_length=100,
        title="Parts",
        description="Names of archives or folders that are learned from, such as set-a*; empty: all.",
    )
    variables: list[str] = Field(
        [], max_length=2000, title="Variables", description="Empty: those that most stays have."
    )
    most_variables: int = Field(
        35, ge=1, le=2000, title="At most", description="How many variables are taken where none is named."
    )
    statics: list[str] = Field(
        [], max_length=200, title="Facts", description="Age and the like, known once; empty: the usual ones."
    )
    step_hours: float = Field(1.0, gt=0, le=1000, title="Step (h)", description="Width of the grid's steps.")
    max_hours: float = Field(48.0, gt=0, le=100_000, title="Until (h)", description="What comes later is not used.")
    clip: float = Field(5.0, gt=0, le=1000, title="Clip", description="Limit of the scaled values.")
    val_fraction: float = Field(0.2, gt=0, lt=1, title="Validation share", description="Stays kept for validation.")
    test_fraction: float = Field(
        0.0, ge=0, lt=1, title="Test share", description="Stays never touched in training, for the final figure."
    )


class StayTrainerConfig(TrainerConfig):
    """How long and on what the encoder is trained."""

    epochs: int = Field(30, ge=1, le=100_000, title="Epochs", description="Passes over the training stays.")
    batch_size: int = Field(128, ge=1, le=65_536, title="Batch", description="Stays in one step.")
    patches_per_case: Literal[1] = Field(1, title="Rows per case")
    ema: float = Field(0.0, ge=0, lt=1, title="Weight averaging", description="Decay of the running average; 0: off.")
