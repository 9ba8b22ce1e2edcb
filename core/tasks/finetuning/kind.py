"""The models for stays, as the commands and the window use those of any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.catalog import RunRow
from core.control import JobControl
from core.errors import IsocenterError
from core.inference.assemble import Facts
from core.inference.model_kind import ModelKind
from core.tasks.finetuning.package import StayPackage


class StayModels(ModelKind):
    def read(self, folder: Path, *, bundled: bool = False) -> StayPackage:
        return StayPackage.read(folder, bundled=bundled)

    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> StayPackage:  # fmt: skip
        from core.tasks.finetuning.publishing import publish

        return publish(run, name=name, facts=facts, control=control)

    def predict(
        self, package: StayPackage, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        from core.tasks.finetuning.predicting import predict_stays

        if not paths:
            raise IsocenterError("no stay is given", mend="Give a stay's file, a folder or a table after `predict`.")
        if len({path.name.partition(".")[0] for path in paths}) < len(paths):
            raise IsocenterError("two files would be written to the same one", mend="Predict them one by one.")
        answers = [predict_stays(package, path, out, options, control) for path in paths]
        return {
            name: [item for answer in answers for item in answer[name]]
            for name in ("predictions", "findings", "outputs")
        }

    def evaluate(
        self, model: StayPackage | RunRow, data: Path, *, split: str | None = None, control: JobControl | None = None
    ) -> dict[str, Any]:
        from core.tasks.finetuning.predicting import evaluate
        from core.tasks.finetuning.publishing import package_of

        if isinstance(model, StayPackage):
            return evaluate(model, data, split=split, control=control)
        with package_of(model, control) as package:
            return {**evaluate(package, data, split=split, control=control), "model": model.id}
