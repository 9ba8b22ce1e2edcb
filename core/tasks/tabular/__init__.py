"""Tables: a classifier or a regression from one row a case, with a scikit-learn interface too (`estimators`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from core import registry
from core.control import JobControl
from core.inference.model_kind import ModelKind
from core.registry import register
from core.tasks.base import CheckedData, Task
from core.tasks.tabular.settings import DistillationConfig, SearchConfig, TableDataConfig, TableTrainerConfig
from core.training.given import Folding, Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.catalog.groups import GroupRow


@register("task")
class TabularConfig(Task):
    """Predict one column of a table from the others."""

    data_kind: ClassVar[Literal["table"]] = "table"
    has_folds: ClassVar[bool] = True
    title: ClassVar[str] = "Table"
    inspected: ClassVar[tuple[str, ...]] = (
        "data.path", "data.target", "data.group", "data.leave_out", "data.kinds", "task.kind",
    )  # fmt: skip
    name: Literal["tabular"] = "tabular"
    kind: Literal["auto", "classification", "regression"] = Field(
        "auto", title="Kind", description="Auto: a number with many values is a regression."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, title="Label smoothing", description="Part of each outcome that is spread over all of them."
    )
    mixup: float = Field(0.0, ge=0, le=10, title="MixUp", description="Alpha of the blend of pairs of rows; 0: off.")
    noise: float = Field(
        0.0, ge=0, le=2, title="Noise", description="Standard deviation of noise on the scaled numbers; 0: off."
    )
    balance_classes: bool = Field(
        False, title="Balance classes", description="Weigh each row by the inverse of its outcome's share."
    )
    decide_by: Literal["half", "f1", "balanced_accuracy", "accuracy"] = Field(
        "half",
        title="Decide by",
        description="What the threshold of the second outcome is best by, on the validation rows; half: it is 0.5.",
    )
    distillation: DistillationConfig | None = Field(
        None, title="Distillation", description="Learn from a teacher's probabilities as well."
    )
    monitor: str = Field("val/loss", title="Best by", description="The metric that makes the best checkpoint.")

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        return {
            "data": (TableDataConfig, Field(TableDataConfig(), title="Data")),
            "model": registry.block("table_model", "mlp", "Network"),
            "optimizer": registry.block("optimizer", "adamw", "Optimizer"),
            "scheduler": registry.block("scheduler", "warmup_cosine", "Schedule"),
            "trainer": (TableTrainerConfig, Field(TableTrainerConfig(), title="Training")),
            "search": (SearchConfig, Field(SearchConfig(), title="Search")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.tabular.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.tabular.preparing import prepare

        return prepare(experiment, control)

    def deal(self, experiment: Any, count: int, control: JobControl) -> Folding:
        from core.tasks.tabular.folding import deal

        return deal(experiment, count, control)

    def dealt(self, experiment: Any, group: GroupRow, control: JobControl) -> Folding:
        from core.tasks.tabular.folding import dealt

        return dealt(experiment, group, control)

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.tabular.session import session

        return session(experiment, run, control)

    @classmethod
    def kind_of_model(cls) -> ModelKind:
        from core.tasks.tabular.kind import TableModels

        return TableModels()
