"""Risk models, as the commands and the window use those of any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.catalog import RunRow
from core.control import JobControl
from core.inference.assemble import Facts
from core.inference.model_kind import ModelKind
from core.tasks.alzheimers.package import RiskPackage


class RiskModels(ModelKind):
    reports = True

    def read(self, folder: Path, *, bundled: bool = False) -> RiskPackage:
        return RiskPackage.read(folder, bundled=bundled)

    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> RiskPackage:  # fmt: skip
        from core.tasks.alzheimers.publishing import publish

        return publish(run, name=name, facts=facts, half=half, control=control)

    def predict(
        self, package: RiskPackage, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """As for every kind; options: mri, pet, clinical (files of one subject), device, explain, report."""
        from core.tasks.alzheimers.predicting import predict

        return predict(package, paths, out, options, control)

    def report(
        self, package: RiskPackage, prediction: Mapping[str, Any], target: Path, control: JobControl | None = None
    ) -> Path:
        from core.tasks.alzheimers.report import write_report

        return write_report(prediction, package, target, control)

    def evaluate(
        self, model: RiskPackage | RunRow, data: Path, *, split: str | None = None, control: JobControl | None = None
    ) -> dict[str, Any]:
        from core.tasks.alzheimers.evaluating import evaluate
        from core.tasks.alzheimers.publishing import package_of

        if isinstance(model, RiskPackage):
            return evaluate(model, data, split=split, control=control)
        with package_of(model, control) as package:
            return {**evaluate(package, data, split=split, control=control), "model": model.id}
