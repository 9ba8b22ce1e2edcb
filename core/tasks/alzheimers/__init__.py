"""Alzheimer's risk: a score in 0..1 from MRI, PET and clinical values, any of which may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from core import registry
from core.control import JobControl
from core.inference.model_kind import ModelKind
from core.registry import register
from core.tasks.alzheimers.settings import RiskDataConfig, RiskTrainerConfig
from core.tasks.base import CheckedData, Task
from core.training.given import Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.tasks.alzheimers.requirements import Departure


@register("task")
class AlzheimersConfig(Task):
    """Predict a risk score from MRI, PET and clinical values."""

    data_kind: ClassVar[Literal["cohort"]] = "cohort"
    title: ClassVar[str] = "Alzheimer's risk"
    name: Literal["alzheimers"] = "alzheimers"
    loss: Literal["mse"] = Field("mse", title="Loss", description="The mean squared error of the score.")
    threshold: float = Field(
        0.5, gt=0, lt=1, title="Threshold", description="The AUC is of scores at least this high against the others."
    )
    modality_dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        title="Modality dropout",
        description="Chance that MRI, PET or all clinical values are hidden, so that any of them may be missing later.",
    )
    parts_weight: float = Field(
        0.5,
        ge=0,
        lt=1,
        title="Parts alone",
        description="Share of the loss that is of the scores from MRI, PET and clinical values each alone; 0: none.",
    )
    samples: int = Field(
        20, ge=1, le=500, title="Samples", description="Answers with dropout on, whose spread is the uncertainty."
    )
    confidence: float = Field(
        0.9, gt=0.5, lt=1, title="Confidence", description="Part of the subjects whose score the interval should hold."
    )
    keep: Literal["last", "best"] = Field(
        "last",
        title="Weights kept",
        description="Last: those at the end of the schedule, which were not chosen by the validation subjects, so that "
        "their errors give honest intervals. Best: by the metric below.",
    )
    start_mri_from: str | None = Field(
        None,
        max_length=1000,
        title="Start MRI from",
        description="Weights that the MRI encoder begins with: a pretraining on scans with a swin_unet (a run, a model "
        "or a file); empty: random ones.",
        json_schema_extra={"of": "runs", "tasks": ["volume_pretraining"]},
    )
    start_pet_from: str | None = Field(
        None,
        max_length=1000,
        title="Start PET from",
        description="The same for the PET encoder.",
        json_schema_extra={"of": "runs", "tasks": ["volume_pretraining"]},
    )
    allow_overlap: bool = Field(
        False,
        title="Allow overlap",
        description="Go on although a start was trained on images of the test part; that is recorded.",
    )
    monitor: str = Field("val/loss", title="Best by", description="The metric that makes the best checkpoint.")

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        adamw: Any = registry.part("optimizer", "adamw")
        return {
            "data": (RiskDataConfig, Field(RiskDataConfig(), title="Data")),
            "model": registry.block("risk_model", "swin_fusion", "Network"),
            "optimizer": (
                registry.union("optimizer"),
                Field(default_factory=lambda: adamw(lr=1e-4, weight_decay=1e-2), title="Optimizer"),
            ),
            "scheduler": registry.block("scheduler", "cosine_annealing", "Schedule"),
            "trainer": (RiskTrainerConfig, Field(RiskTrainerConfig(), title="Training")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.alzheimers.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.alzheimers.preparing import prepare

        return prepare(experiment, control)

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.alzheimers.session import session

        return session(experiment, run, control)

    def check(self, experiment: Any, control: JobControl | None = None) -> list[Departure]:
        """Where the experiment departs from what the system was asked to be."""
        from core.tasks.alzheimers.preparing import checked
        from core.tasks.alzheimers.requirements import departures

        features = None
        if control is not None and experiment.data.path is not None:
            features = len(checked(experiment, control).features)
        return departures(experiment, features)

    @classmethod
    def kind_of_model(cls) -> ModelKind:
        from core.tasks.alzheimers.kind import RiskModels

        return RiskModels()
