"""One patient's values for a model of tables: the fields that it takes, and its answer with what speaks for it."""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.control import JobControl
from core.errors import ModelError
from core.inference.package import AnyPackage
from gui.values.fields import OTHER, ValueField

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


def ask_patient(package: AnyPackage, texts: Mapping[str, str], control: JobControl) -> dict[str, Any]:
    """A model's answer to one row of cells by column, the others empty: one of "predictions", explained.

    Raises DatasetError or ModelError.
    """
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model that takes a table.")
    names = [field.name for field in fields_of(package)]
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        source = Path(folder) / "patient.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([names, [texts.get(name, "") for name in names]])
        found = kind.predict(package, [source], Path(folder), {"explain": True}, control)
    answer: dict[str, Any] = found["predictions"][0]
    return {**answer, "findings": found.get("findings", [])}


def _begin(name: str) -> str:
    return re.split(r"[_ .]", name, maxsplit=1)[0]
