"""An earlier prediction of stays brought back: the stays read again, and each one's answer from its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.control import JobControl
from core.data.stays.read import read_stays
from core.data.stays.series import Stays
from gui.predict.stored import StoredPredictionError, check_output, check_scan

if TYPE_CHECKING:
    from core.catalog import PredictionRow


def reopen(row: PredictionRow, control: JobControl) -> tuple[Stays, dict[str, dict[str, Any]], int]:
    """The stays, the answers by the stays' names, and the number of the stay to begin with.

    Raises StoredPredictionError or DatasetError.
    """
    check_scan(row, "stay")
    check_output(row, "answer")
    stays = read_stays(row.scan, control)
    try:
        told = json.loads(row.output.read_text(encoding="utf-8"))["predictions"]
        answers = {str(one["stay"]): one for one in told}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StoredPredictionError("this is no file of answers to stays", where=row.output) from None
    asked = row.given.get("stay")
    number = next((n for n, id in enumerate(stays.ids) if id in answers and asked in (None, id)), None)
    if number is None:
        raise StoredPredictionError(
            "the stays are not those that were predicted", where=row.scan, mend="Predict them again."
        )
    return stays, answers, number
