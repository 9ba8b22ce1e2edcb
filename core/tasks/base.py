"""What the engine asks of a task: the blocks of its experiment, its data, and what is fitted. A task is one package.

A task is a registered `Part` (its configuration) in a package of its own under `core/tasks`. The engine, the command
line and the window know nothing else of it: they read its data through `inspect`, set a run up through `prepare`, and
train what `session` gives. What becomes of its runs, the packages that predict and are measured, is its `ModelKind`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from core.control import JobControl
from core.errors import ConfigError, IsocenterError
from core.imaging.volume import Finding
from core.registry import Part

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from core.catalog import RunRow
    from core.catalog.groups import GroupRow
    from core.inference.assemble import Facts
    from core.inference.package import AnyPackage
    from core.training.estimate import Trial
    from core.training.module import TaskModule
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


@dataclass(frozen=True)
class Preparation:
    """A run that is ready to be trained: what is written into its folder, and what its log begins with.

    experiment: with everything filled in that was left to be planned.
    files: the text of each file of the run's folder, by name; `session` reads them again.
    """

    experiment: Any
    data_path: Path
    layout: str
    cases: int
    findings: Sequence[Finding]
    files: Mapping[str, str]
    remarks: Sequence[str] = ()


class Folding(Protocol):
    """Data that were dealt into folds: what a cross-validation records of them, and the run of each fold."""

    @property
    def experiment(self) -> Any:
        """With what was left to be planned filled in, one for all folds."""
        ...

    @property
    def path(self) -> Path: ...
    @property
    def folds(self) -> list[list[str]]:
        """The cases that each fold keeps out."""
        ...

    @property
    def test(self) -> list[str]:
        """The cases that no fold touches."""
        ...

    @property
    def plan(self) -> dict[str, Any]: ...
    @property
    def fingerprint(self) -> str:
        """Equal where the data and their folds are the same."""
        ...

    def preparation(self, fold: int) -> Preparation: ...


@dataclass
class Session:
    """What is fitted: the module, its batches, and callbacks of the task's own.

    module: its validation logs `val/loss` and the monitored metric.
    train, val: Lightning's data loaders; of several processes, each takes its part (`core.data.sharing`).
    callbacks: of the first process only. volumes: whether the network works on volumes, for the memory layout.
    gpu_precision: what the precision `auto` is on a GPU; empty: the one that a probe finds fastest.
    """

    module: TaskModule
    train: Any
    val: Any
    callbacks: list[pl.Callback] = field(default_factory=list)
    volumes: bool = False
    gpu_precision: str = ""


class ModelKind(ABC):
    """The model packages of one task: how a run becomes one, how they predict, and how they are measured.

    The commands, the window and `core.inference.kinds` know nothing else of them. A package has its files in one
    folder with a `model.yaml` that names its task; see `core.inference.package.AnyPackage`.
    predicts: whether its packages answer anything by themselves, rather than being what another training begins with.
    reports: whether a prediction can be written as a report, by `report` or by the option of that name.
    """

    predicts: ClassVar[bool] = True
    reports: ClassVar[bool] = False

    @abstractmethod
    def read(self, folder: Path, *, bundled: bool = False) -> AnyPackage:
        """The package in a folder, its manifest checked. Raises ModelError where it is none of this kind."""

    @abstractmethod
    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> AnyPackage:  # fmt: skip
        """Make a package of a run and record it in the catalog, whole or not at all.

        Raises CatalogError, DatasetError or ModelError.
        """

    def publish_folds(
        self, group: GroupRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> AnyPackage:  # fmt: skip
        """As `publish`, one package of a cross-validation's finished folds that answers by all their networks.

        Raises ConfigError where the task has no such thing.
        """
        raise ConfigError("the folds of this task are not published as one model", mend="Publish one of its runs.")

    @abstractmethod
    def predict(
        self, package: Any, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Predict the files and write the answers into `out`.

        options: what `isocenter predict` takes besides, by name (device, explain, ...).
        Returns {"predictions": [...], "findings": [...], "outputs": [...]}, plain values all of them.
        """

    def report(
        self, package: Any, prediction: Mapping[str, Any], target: Path, control: JobControl | None = None
    ) -> Path:
        """Write one prediction, as `predict` gave it, as a PDF for readers without the program; returns the file.

        Raises IsocenterError where it cannot be written, or where the kind has no such reports.
        """
        raise IsocenterError("predictions of this kind of model have no report", where=target)

    @abstractmethod
    def evaluate(
        self, model: Any, data: Path, *, split: str | None = None, control: JobControl | None = None
    ) -> dict[str, Any]:
        """Measure a package, or a run (a RunRow), on labelled data.

        Returns {"model", "metrics": {"test/...": value}, "cases": [...], "trained_on": how many of the cases were
        trained on, "findings": [...]} and what else the kind has, plain values all of them.
        """

    def beside(
        self, model: Any, data: Path, *, against: Sequence[str], split: str | None = None,
        control: JobControl | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Other methods, fitted to what the model was trained on, on the cases of `evaluate`; plain values.

        Returns [{"name", "title", "metrics", "intervals", "comparison": {metric: ...}}]. Raises ConfigError where the
        task has no such thing, DatasetError where what it was trained on is gone.
        """
        raise ConfigError("no other methods are fitted beside a model of this task", mend="Leave --against out.")

    def folds(
        self, group: GroupRow, *, against: Sequence[str] = (), control: JobControl | None = None
    ) -> dict[str, Any]:
        """Measure a cross-validation: each case by the run of its fold, which did not see it; plain values.

        against: other groups on the same folds, or simple methods by name. Returns {"group", "name", "missing":
        {fold: state}, "remarks": [sentences], "metrics": {"oof/...": value}, "intervals", "folds": {fold: {metric:
        value}}, "cases", "against": [{"name", "metrics", "intervals", "comparison": {metric: ...}}]}. Raises
        ConfigError where the task has no such thing.
        """
        raise ConfigError("the cross-validations of this task are not measured yet", where=group.id)


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
