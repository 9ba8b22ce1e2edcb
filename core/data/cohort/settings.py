"""The block of an experiment that says which cohort is learned from, and how its table is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from core.registry import Part

TargetScale = Literal["risk", "mmse", "cdr_sb"]

# How a clinical scale becomes a risk in 0..1: (value - zero) / (one - zero). Folstein 1975: MMSE 30 is the best;
# Hughes 1982, O'Bryant 2008: the sum of boxes of the CDR goes from 0 to 18.
SCALES: dict[TargetScale, tuple[float, float]] = {"risk": (0.0, 1.0), "mmse": (30.0, 0.0), "cdr_sb": (0.0, 18.0)}


# Told to the window: these fields hold names of the table's columns; what an empty one means.
COLUMN: dict[str, Any] = {"of": "columns", "empty": "found by its name"}


class CohortColumns(Part):
    """Which column of the table holds what; empty: found by its usual names."""

    subject: str = Field(
        "",
        max_length=500,
        title="Subject",
        description="Names the person; never on two sides.",
        json_schema_extra=COLUMN,
    )
    visit: str = Field(
        "",
        max_length=500,
        title="Visit",
        description="Session or date, where one has several.",
        json_schema_extra=COLUMN,
    )
    mri: str = Field(
        "",
        max_length=500,
        title="MRI",
        description="Path of the T1-weighted scan, from the table's place.",
        json_schema_extra=COLUMN,
    )
    pet: str = Field(
        "",
        max_length=500,
        title="PET",
        description="Path of the PET scan, from the table's place.",
        json_schema_extra=COLUMN,
    )
    target: str = Field(
        "", max_length=500, title="Score", description="What is learned to be predicted.", json_schema_extra=COLUMN
    )
    facts: list[str] = Field(
        [],
        max_length=20,
        title="Groups",
        description="Columns that results are told apart by; empty: age, sex, scanner.",
        json_schema_extra=COLUMN,
    )


class CohortDataConfig(Part):
    """Which cohort is learned from, and how its subjects are split."""

    path: Path | None = Field(
        None, title="Cohort", description="A BIDS folder, or a CSV, TSV, Excel or Parquet file, one row a visit."
    )
    columns: CohortColumns = Field(CohortColumns(), title="Columns")
    target_scale: TargetScale = Field(
        "risk",
        title="Score's scale",
        description="Risk: 0 to 1 as it is. MMSE: 30 becomes 0 and 0 becomes 1. CDR-SB: 0 becomes 0 and 18 becomes 1.",
    )
    features: list[str] = Field(
        [],
        max_length=5_000,
        title="Clinical values",
        description="Columns learned from; empty: all columns of numbers.",
        json_schema_extra=COLUMN,
    )
    missing_codes: list[float] = Field(
        [], max_length=100, title="Missing codes", description="Numbers that stand for a missing value, such as -4."
    )
    val_fraction: float = Field(
        0.2, gt=0, lt=1, title="Validation share", description="Subjects kept for validation, drawn by the seed."
    )
    test_fraction: float = Field(
        0.2, ge=0, lt=1, title="Test share", description="Subjects never touched in training, for the final figure."
    )

    @model_validator(mode="after")
    def _leave_some(self) -> CohortDataConfig:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction leave no subject to train on")
        return self

    def to_risk(self, value: float) -> float:
        """A value of the target's scale as 0..1; outside of that where the value is outside of its scale."""
        zero, one = SCALES[self.target_scale]
        return (value - zero) / (one - zero)
