"""One patient's values for a model of tables: the fields that it takes, and its answer with what speaks for it."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.control import JobControl
from core.errors import ModelError
from core.files import write_text
from core.inference.answers import in_words, record
from core.inference.package import AnyPackage
from gui.predict.stored import StoredPredictionError, check_output, own_folder
from gui.values.fields import OTHER, ValueField

if TYPE_CHECKING:
    from core.catalog import PredictionRow

UNIT = re.compile(r"^(?P<name>.+?)\s*[(\[](?P<unit>[^()\[\]]{1,16})[)\]]$")
FEWEST_OF_GROUP = 2


def fields_of(package: AnyPackage) -> list[ValueField]:
    """The columns that a model takes, numbers first; those whose names begin alike are of one group."""
    plan = package.as_dict().get("plan")
    coding = plan.get("coding", {}) if isinstance(plan, Mapping) else {}
    numbers, words = coding.get("numbers", []), coding.get("words", [])
    begins = Counter(_begin(str(one["name"])) for one in [*numbers, *words])

    def group(name: str) -> str:
        return _begin(name) if begins[_begin(name)] >= FEWEST_OF_GROUP else OTHER

    return [
        *(ValueField(one["name"], unit_in(one["name"]), one["low"], one["high"], group(one["name"]),
                     date=bool(one.get("date"))) for one in numbers),
        *(ValueField(one["name"], group=group(one["name"]), words=tuple(one["levels"]), other_words=True)
          for one in words),
    ]  # fmt: skip


def unit_in(name: str) -> str:
    """The unit that a column's name ends with.

    >>> unit_in("glucose (mg/dL)"), unit_in("age [years]"), unit_in("HR_first")
    ('mg/dL', 'years', '')
    """
    found = UNIT.match(name)
    return found["unit"] if found else ""


class Kept:
    """The place of one patient's answers: a folder of its own and a row of the catalog, which the newest one has."""

    def __init__(self) -> None:
        self.folder = own_folder()
        self.row: int | None = None
        self._writing = threading.Lock()

    def keep(self, package: AnyPackage, texts: Mapping[str, str], found: Mapping[str, Any]) -> None:
        """Keep an answer in place of the one before. Raises CatalogError or IsocenterError."""
        whole = Path(found["predictions"][0]["output"]).with_suffix(".json")
        with self._writing:
            write_text(whole, json.dumps({"values": dict(texts), "answer": _answer(found)}))
            outputs = [*found.get("outputs", ()), str(whole)]
            (self.row,) = record(
                package, {**found, "outputs": outputs}, given={"patient": True}, in_place_of=self.row
            )  # fmt: skip


def ask_patient(
    package: AnyPackage, texts: Mapping[str, str], control: JobControl, kept: Kept | None = None
) -> dict[str, Any]:
    """A model's answer to one row of cells by column, the others empty: one of "predictions", explained.

    kept: where it is kept. Raises DatasetError, ModelError, CatalogError or IsocenterError.
    """
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model that takes a table.")
    names = [field.name for field in fields_of(package)]
    with tempfile.TemporaryDirectory(prefix="isocenter-") as temporary:
        folder = Path(temporary) if kept is None else kept.folder
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "patient.csv"
        cells = io.StringIO(newline="")
        csv.writer(cells).writerows([names, [texts.get(name, "") for name in names]])
        write_text(source, cells.getvalue())
        found = kind.predict(package, [source], folder, {"explain": True}, control)
        control.check()
        if kept is not None:
            kept.keep(package, texts, found)
    return _answer(found)


def read_patient(row: PredictionRow) -> tuple[dict[str, str], dict[str, Any]]:
    """The values and the answer of an earlier prediction of one patient. Raises StoredPredictionError."""
    check_output(row, "answer")
    try:
        kept = json.loads(row.output.read_text(encoding="utf-8"))
        values = {str(name): str(text) for name, text in kept["values"].items()}
        answer = dict(kept["answer"])
        in_words(answer), list(answer["findings"])  # what is shown of it
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StoredPredictionError("this is no file of a patient's answer", where=row.output) from None
    return values, answer


def _answer(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found["predictions"][0], "findings": found.get("findings", [])}


def _begin(name: str) -> str:
    return re.split(r"[_ .]", name, maxsplit=1)[0]
