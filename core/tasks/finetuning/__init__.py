"""Fine-tuning: an encoder of stays, pretrained or not, learns outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from core import registry
from core.control import JobControl
from core.inference.model_kind import ModelKind
from core.registry import register
from core.tasks.base import CheckedData, Task
from core.tasks.finetuning.heads import LinearHeadConfig
from core.tasks.finetuning.settings import LabelledDataConfig
from core.tasks.pretraining.settings import StayTrainerConfig
from core.training.given import Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow

Head: Any = registry.union("head")


@register("task")
class FinetuningConfig(Task):
    """Learn outcomes of stays with an encoder."""

    data_kind: ClassVar[Literal["stays"]] = "stays"
    title: ClassVar[str] = "Stays: fine-tuning"
    name: Literal["finetuning"] = "finetuning"
    kind: Literal["binary", "multiclass", "multilabel", "regression"] = Field("binary", title="Kind")
    targets: list[str] = Field(
        ["In-hospital_death"],
        min_length=1,
        max_length=100,
        title="Outcomes",
        description="Columns of the outcomes; several only where the kind is multilabel.",
    )
    head: Head = Field(LinearHeadConfig(), title="Head")
    mode: Literal["probe", "full", "gradual"] = Field(
        "probe",
        title="Mode",
        description="Probe: the encoder stays as it is. Full: all is trained. Gradual: all, from an epoch on.",
    )
    unfreeze_epoch: int = Field(
        5, ge=1, le=100_000, title="Unfreeze at", description="Of the gradual mode: the first epoch that trains all."
    )
    layer_decay: float = Field(
        0.7, gt=0, le=1, title="Layer decay", description="Learning rate of a layer as a part of the one above it."
    )
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", title="Loss", description="Of outcomes in classes."
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, title="Focal gamma", description="How much less easy stays count.")
    balance: Literal["none", "weights", "sampling"] = Field(
        "none", title="Balance", description="For rare outcomes: weigh their stays more, or draw them more often."
    )
    class_weights: list[float] = Field(
        [], max_length=100, title="Class weights", description="One for each class, in their order; empty: all 1."
    )
    hide: float = Field(
        0.0, ge=0, lt=1, title="Hide", description="Part of the measurements left out at random in training."
    )
    truncate: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Cut short",
        description="Share of the training stays that end at a random step, so that early answers can be trusted.",
    )
    members: int = Field(
        1,
        ge=1,
        le=50,
        title="Members",
        description="Networks that are trained and averaged; so many times the time, but heads alone of a probe.",
    )
    resample: bool = Field(
        True,
        title="Resample",
        description="Of several members: each weighs the training stays at random, so that their spread tells a doubt.",
    )
    trees: bool = Field(
        False,
        title="Trees beside",
        description="Boosted trees on the plain statistics of stays beside the heads. For a yes or no only.",
    )
    clinical: bool = Field(
        False,
        title="Clinical values",
        description="Heads and trees see shock index, PaO2/FiO2, changes and points of SOFA and SAPS too.",
    )
    monitor: str = Field("val/loss", title="Best by", description="The metric that makes the best checkpoint.")

    @model_validator(mode="after")
    def _trees_say_yes_or_no(self) -> FinetuningConfig:
        if self.trees and self.kind != "binary":
            raise ValueError(f"trees are for an outcome of yes or no, not for {self.kind}")
        return self

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        return {
            "data": (LabelledDataConfig, Field(LabelledDataConfig(), title="Data")),
            "encoder": registry.block("encoder", "transformer", "Encoder"),
            "optimizer": registry.block("optimizer", "adamw", "Optimizer"),
            "scheduler": registry.block("scheduler", "warmup_cosine", "Schedule"),
            "trainer": (StayTrainerConfig, Field(StayTrainerConfig(), title="Training")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.finetuning.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.finetuning.preparing import prepare

        return prepare(experiment, control)

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.finetuning.session import session

        return session(experiment, run, control)

    @classmethod
    def kind_of_model(cls) -> ModelKind:
        from core.tasks.finetuning.kind import StayModels

        return StayModels()
