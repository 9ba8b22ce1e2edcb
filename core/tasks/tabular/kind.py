"""The models for tables, as the commands and the window use those of any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from core.catalog import RunRow
from core.catalog.groups import GroupRow
from core.control import JobControl
from core.errors import IsocenterError
from core.inference.assemble import Facts
from core.inference.model_kind import ModelKind
from core.tasks.tabular.package import TablePackage


class TableModels(ModelKind):
    def read(self, folder: Path, *, bundled: bool = False) -> TablePackage:
        return TablePackage.read(folder, bundled=bundled)

    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> TablePackage:  # fmt: skip
        from core.tasks.tabular.publishing import publish

        return publish(run, name=name, facts=facts, control=control)

    def publish_folds(
        self, group: GroupRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> TablePackage:  # fmt: skip
        from core.tasks.tabular.ensemble import publish_folds

        return publish_folds(group, name=name, facts=facts, control=control)

    def predict(
        self, package: TablePackage, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        from core.tasks.tabular.predicting import predict_rows

        if len({path.name.partition(".")[0] for path in paths}) < len(paths):
            raise IsocenterError("two tables would be written to the same file", mend="Predict them one by one.")
        explain = bool(options.get("explain"))
        answers = [predict_rows(package, path, out, explain=explain, control=control) for path in paths]
        return {
            "predictions": [row for answer in answers for row in answer["predictions"]],
            "findings": [finding for answer in answers for finding in answer["findings"]],
            "outputs": [answer["output"] for answer in answers],
        }

    def folds(
        self, group: GroupRow, *, against: Sequence[str] = (), control: JobControl | None = None
    ) -> dict[str, Any]:
        from core.tasks.tabular.out_of_fold import measure_folds

        return measure_folds(group, against=against, control=control)

    def beside(
        self, model: TablePackage | RunRow, data: Path, *, against: Sequence[str], split: str | None = None,
        control: JobControl | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        from core.tasks.tabular.out_of_fold import beside

        with self._package(model, control) as package:
            return beside(package, data, against=against, split=split, control=control)

    def evaluate(
        self, model: TablePackage | RunRow, data: Path, *, split: str | None = None, control: JobControl | None = None
    ) -> dict[str, Any]:
        from core.tasks.tabular.measuring import evaluate

        run = None if isinstance(model, TablePackage) else model
        with self._package(model, control) as package:
            return evaluate(package, data, split=split, run=run, control=control)

    @staticmethod
    def _package(model: TablePackage | RunRow, control: JobControl | None) -> AbstractContextManager[TablePackage]:
        from core.tasks.tabular.publishing import package_of

        return nullcontext(model) if isinstance(model, TablePackage) else package_of(model, control)
