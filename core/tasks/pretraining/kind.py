"""Pretrained encoders answer no question by themselves, and say so where a model is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from core.catalog import RunRow
from core.control import JobControl
from core.errors import ModelError
from core.inference.assemble import Facts
from core.inference.model_kind import ModelKind


class Encoders(ModelKind):
    predicts = False

    def read(self, folder: Path, *, bundled: bool = False) -> NoReturn:
        raise _no_model(folder)

    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> NoReturn:  # fmt: skip
        raise _no_model(run.id)

    def predict(
        self, package: Any, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> NoReturn:  # fmt: skip
        raise _no_model(out)

    def evaluate(
        self, model: Any, data: Path, *, split: str | None = None, control: JobControl | None = None
    ) -> NoReturn:
        raise _no_model(getattr(model, "id", data))


def _no_model(where: str | Path) -> ModelError:
    return ModelError(
        "a pretrained encoder predicts no outcome by itself", where=where,
        mend="Fine-tune it: isocenter train physionet2012-finetune encoder.checkpoint=RUN.",
    )  # fmt: skip
