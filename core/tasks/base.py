"""What the engine asks of a task: the blocks of its experiment, its data, and what is fitted. A task is one package.

A task is a registered `Part` (its configuration) in a package of its own under `core/tasks`. The engine, the command
line and the window know nothing else of it: they read its data through `inspect`, set a run up through `prepare`, and
train what `session` gives. What becomes of its runs, the packages that predict and are measured, is its `ModelKind`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from core.control import JobControl
from core.imaging.volume import Finding
from core.registry import Part

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.catalog.groups import GroupRow
    from core.inference.model_kind import ModelKind
    from core.training.estimate import Trial
    from core.training.given import Folding, Preparation, Session
    from core.training.planning import Proposal


class CheckedData(Protocol):
    """What the check of a data set found, whatever kind of data it is.

    It may have more for the window: `described()`, pairs of name and text about the data, and `columns`, the kind of
    each column by name, for data whose columns are chosen among.
    """

    @property
    def path(self) -> Path: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def usable(self) -> bool: ...
    def summary(self) -> str:
        """One line for the form and the log."""
        ...


class Task(Part):
    """Base of every task's configuration.

    title: for people; without one, the name. has_folds: whether it can be cross-validated, through `deal` and `dealt`.
    inspected: the dotted keys of the experiment that `inspect` depends on, so that no other change reads data again.
    """

    data_kind: ClassVar[Literal["scans", "table", "cohort", "stays"]]
    title: ClassVar[str] = ""
    has_folds: ClassVar[bool] = False
    inspected: ClassVar[tuple[str, ...]] = ("data", "task")
    monitor: str

    @property
    def monitor_mode(self) -> Literal["min", "max"]:
        """Whether the monitored metric is better when lower or higher.

        >>> Task.lower_is_better("val/loss"), Task.lower_is_better("val/dice")
        (True, False)
        """
        return "min" if self.lower_is_better(self.monitor) else "max"

    @staticmethod
    def lower_is_better(metric: str) -> bool:
        return metric.rsplit("/", 1)[-1] in ("loss", "mse", "mae", "brier", "ece", "hd95")

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        """The experiment's blocks for this task as (type, default) by key, in the order of the form."""
        raise NotImplementedError

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        """Read and check the data. Raises DatasetError where there is none; what is wrong in part is a finding."""
        raise NotImplementedError

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        """Check the data, split it and make the plan. Raises IsocenterError where the experiment cannot work."""
        raise NotImplementedError

    def propose(self, experiment: Any, data: CheckedData) -> Proposal | None:
        """What fills everything that was left empty, with the reasons; None for a task that plans nothing.

        Takes milliseconds, as nothing is read again. Raises IsocenterError where the experiment cannot work.
        """
        return None

    def trial(self, experiment: Any, data: CheckedData) -> Trial | None:
        """A short run on some of the data, from which the whole one's time and memory are estimated; None: no such.

        Raises IsocenterError where the experiment cannot work.
        """
        return None

    def deal(self, experiment: Any, count: int, control: JobControl) -> Folding:
        """Check the data and draw the folds. Raises ConfigError or DatasetError where that cannot work."""
        raise NotImplementedError

    def dealt(self, experiment: Any, group: GroupRow, control: JobControl) -> Folding:
        """The folds of a group as they were drawn. Raises DatasetError where its data have changed."""
        raise NotImplementedError

    def check(self, experiment: Any, control: JobControl | None = None) -> Sequence[Any] | None:
        """Where an experiment departs from what its system was asked to be; None where nothing was asked.

        Each has `text`, a sentence, and `as_dict()`. With a control, the data is looked at too where it is chosen.
        """
        return None

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        """What is fitted, from a prepared run and the files in its folder. Raises DatasetError where data is gone."""
        raise NotImplementedError

    @classmethod
    def kind_of_model(cls) -> ModelKind | None:
        """The packages that are made of the task's runs; None: those for scans, which core.inference itself keeps."""
        return None
