"""The blocks of a tabular experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from core.config import TrainerConfig
from core.registry import Part

# Told to the window: these fields hold names of the table's columns.
COLUMNS: dict[str, Any] = {"of": "columns"}

Teacher = Literal["xgboost", "gradient_boosting", "random_forest", "logistic_regression"]


class TableDataConfig(Part):
    """Which table is learned from, and how it is split."""

    path: Path | None = Field(None, title="Table", description="A CSV, TSV, Excel or Parquet file, one row a case.")
    target: str = Field(
        "", max_length=500, title="Outcome", description="The column that is predicted.", json_schema_extra=COLUMNS
    )
    group: str | None = Field(
        None,
        max_length=500,
        title="Subject",
        description="A column that names the subject: never on both sides.",
        json_schema_extra=COLUMNS,
    )
    leave_out: list[str] = Field(
        [],
        max_length=20_000,
        title="Leave out",
        description="Columns not learned from, such as later results.",
        json_schema_extra=COLUMNS,
    )
    kinds: dict[str, Literal["number", "category", "date", "text"]] = Field(
        {},
        title="Kinds",
        description="What a column holds, where the guess is wrong.",
        json_schema_extra=COLUMNS,
    )
    val_fraction: float = Field(0.2, gt=0, lt=1, title="Validation share", description="Rows kept for validation.")
    test_fraction: float = Field(
        0.0, ge=0, lt=1, title="Test share", description="Rows never touched in training, for the final figure."
    )


class TableTrainerConfig(TrainerConfig):
    """How long and on what the network is trained."""

    epochs: int = Field(200, ge=1, le=100_000, title="Epochs", description="Passes over the training rows.")
    batch_size: int = Field(256, ge=1, le=65_536, title="Batch", description="Rows in one step.")
    accumulate: Literal[1] = Field(1, title="Accumulation")
    patches_per_case: Literal[1] = Field(1, title="Rows per case")
    ema: float = Field(0.0, ge=0, lt=1, title="Weight averaging", description="Decay of the running average; 0: off.")
    early_stopping: int = Field(
        30, ge=0, title="Early stopping", description="Validations without a gain after which the run ends; 0: off."
    )

    find_lr: bool = Field(
        False,
        title="Find the rate",
        description="Before training, try rising learning rates, and take the one at which the loss falls fastest.",
    )

    @model_validator(mode="after")
    def _what_tables_take(self) -> TableTrainerConfig:
        """Settings of the engine that the block-wise steps of a table would leave unheeded are refused."""
        if self.precision == "16-mixed":
            raise ValueError("a table is trained in precision 32 or bf16-mixed, not 16-mixed")
        if self.devices != 1:
            raise ValueError("a table is trained on one device; leave devices at 1")
        return self


class SearchConfig(Part):
    """Settings of the network and its optimizer tried before the training, on its rows alone."""

    trials: int = Field(
        0, ge=0, le=500, title="Trials", description="Settings that are tried, the experiment's own among them; 0: off."
    )
    folds: int = Field(3, ge=2, le=10, title="Inner folds", description="Of the training and validation rows.")


class DistillationConfig(Part):
    """Learn from the probabilities of a teacher as well (Hinton et al., arXiv 1503.02531)."""

    teacher: list[Teacher] = Field(
        ["xgboost"], min_length=1, title="Teachers", description="Methods that are fitted first; their mean is learned."
    )
    weight: float = Field(0.7, ge=0, le=1, title="Lambda", description="Part of the loss that is the teacher's.")
    temperature: float = Field(2.0, gt=0, le=20, title="Temperature", description="Softens the probabilities.")
    consistency: float = Field(
        0.0, ge=0, le=10, title="Consistency", description="Weight of the penalty on two noisy passes that differ."
    )
    folds: int = Field(
        5,
        ge=0,
        le=20,
        title="Teacher's folds",
        description="Each row is taught by a teacher that did not see it; 0: one teacher that saw all (leaks).",
    )
    made: int = Field(
        10,
        ge=0,
        le=100,
        title="Made rows",
        description="Rows made of each row, with cells of others, that the teachers judge; at most 200,000.",
    )
    made_weight: float = Field(
        0.25,
        gt=0,
        le=1,
        title="Weight of made rows",
        description="Of each in the loss beside a row of the table, whose outcome is known as well.",
    )

    @field_validator("teacher", mode="before")
    @classmethod
    def _one_or_more(cls, teacher: Any) -> Any:
        return [teacher] if isinstance(teacher, str) else teacher
