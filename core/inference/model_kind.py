"""What the packages of one task can do: each task has a kind of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.control import JobControl
from core.errors import ConfigError, IsocenterError

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.catalog.groups import GroupRow
    from core.inference.assemble import Facts
    from core.inference.package import AnyPackage


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
