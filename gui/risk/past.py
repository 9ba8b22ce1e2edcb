"""An earlier prediction of a subject's risk brought back from its file, with the maps of its reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.control import JobControl
from gui.predict.stored import StoredPredictionError, check_output
from gui.risk.asking import IMAGES, Answer, Subject, read_maps

if TYPE_CHECKING:
    from core.catalog import PredictionRow


def subject_of(row: PredictionRow, prediction: Mapping[str, Any] | None = None) -> Subject:
    """What was given of the subject, by the row, or where a whole cohort was asked about by the answer itself.

    Of images only those that are still there.
    """
    given, answer = row.given, prediction or {}
    told = {**(answer.get("images") or {}), **given}
    images = {kind: Path(told[kind]) if told.get(kind) and Path(told[kind]).exists() else None for kind in IMAGES}
    values = given.get("values") or answer.get("values") or {}
    return Subject(str(given.get("subject", "")), *images.values(), {name: float(v) for name, v in values.items()})


def reopen(row: PredictionRow, control: JobControl) -> Answer:
    """The answer to the subject of a row; maps that are gone are left out. Raises StoredPredictionError."""
    check_output(row, "answer")
    try:
        told = json.loads(row.output.read_text(encoding="utf-8"))["predictions"]
        prediction = next(one for one in told if one["subject"] == row.given.get("subject", one["subject"]))
        maps = (prediction.get("explanation") or {}).get("maps") or {}
        files = {str(name): Path(path) for name, path in maps.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
        raise StoredPredictionError("this is no file of a subject's risk", where=row.output) from None
    return Answer(prediction, read_maps({name: path for name, path in files.items() if path.is_file()}, control))
