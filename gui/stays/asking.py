"""A stay put to a model through its kind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from core import registry
from core.control import JobControl
from core.data.stays.series import Stays
from core.errors import ModelError
from core.inference.package import AnyPackage
from gui.predict.model_card import task_of
from gui.stays.series import write_stay

DATA_KIND = "stays"


def takes_stays(package: AnyPackage) -> bool:
    """Whether a model predicts stays."""
    part: Any = registry.parts("task").get(task_of(package))
    kind = part.kind_of_model() if part is not None and part.data_kind == DATA_KIND else None
    return kind is not None and bool(kind.predicts)


def predict_stay(package: AnyPackage, stays: Stays, number: int, out: Path, control: JobControl) -> dict[str, Any]:
    """A model's answer to one stay with its course and its reasons. Raises IsocenterError."""
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model for stays.")
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        path = Path(folder) / "stay.csv"
        write_stay(stays, number, path, control)
        found = kind.predict(package, [path], out, {"explain": True, "device": "auto"}, control)
    answer: dict[str, Any] = found["predictions"][0]
    return answer
