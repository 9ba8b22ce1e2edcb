"""Pretraining: an encoder of stays learns from measurements alone, by an objective that needs no outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from core import registry
from core.control import JobControl
from core.inference.model_kind import ModelKind
from core.registry import register
from core.tasks.base import CheckedData, Task
from core.tasks.pretraining.settings import StayDataConfig, StayTrainerConfig
from core.training.given import Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow


@register("task")
class PretrainingConfig(Task):
    """Learn an encoder of stays without outcomes."""

    data_kind: ClassVar[Literal["stays"]] = "stays"
    title: ClassVar[str] = "Stays: pretraining"
    name: Literal["pretraining"] = "pretraining"
    probe_every: int = Field(
        5,
        ge=0,
        le=100_000,
        title="Probe every",
        description="Epochs between two readings of the outcome (linear probe, nearest neighbours), for the "
        "curves only; 0: none.",
    )
    probe_outcome: str = Field(
        "In-hospital_death", max_length=200, title="Probed outcome", description="Where the data has it."
    )
    monitor: str = Field("val/loss", title="Best by", description="The metric that makes the best checkpoint.")

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        return {
            "data": (StayDataConfig, Field(StayDataConfig(val_fraction=0.1), title="Data")),
            "encoder": registry.block("encoder", "transformer", "Encoder"),
            "ssl": registry.block("objective", "mae", "Objective"),
            "optimizer": registry.block("optimizer", "adamw", "Optimizer"),
            "scheduler": registry.block("scheduler", "warmup_cosine", "Schedule"),
            "trainer": (StayTrainerConfig, Field(StayTrainerConfig(), title="Training")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.pretraining.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.pretraining.preparing import prepare

        return prepare(experiment, control)

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.pretraining.session import session

        return session(experiment, run, control)

    @classmethod
    def kind_of_model(cls) -> ModelKind:
        from core.tasks.pretraining.kind import Encoders

        return Encoders()
