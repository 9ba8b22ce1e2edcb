"""The values that a model takes of one case: read from what is typed, pasted or opened. No Qt."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.control import JobControl
from core.data.cohort.columns import number_of
from core.data.tables.read import EMPTY, read_table
from core.data.tables.table import dates
from core.errors import DatasetError
from gui.tables.reading import cell_of, cell_text

OTHER = "Other values"
MAX_BYTES = 20_000_000
FAR = 3.0  # standard deviations from the mean of the subjects that were trained on
MOST_SHOWN_WORDS = 4
NO_DATE = "no date, such as 2026-11-30"
RARE = "not known to the model: taken as a rare word"


@dataclass(frozen=True)
class ValueField:
    """One value. low, high: the range of the plausible or of what was trained on, None where there is none.

    words: what may be written for 0, 1, ...; other_words: whether something else may be written too, which the model
    then takes as a rare word. date: written as 2026-11-30, and held as days since 1970.
    mean, scale: of the subjects that the model was trained on, where they say how far a value is from them.
    """

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    group: str = OTHER
    words: tuple[str, ...] = ()
    other_words: bool = False
    date: bool = False
    mean: float = 0.0
    scale: float = math.inf

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @property
    def range_text(self) -> str:
        """The range, or the words.

        >>> ValueField("age", low=50, high=100).range_text, ValueField("sex", words=("F", "M")).range_text
        ('50 to 100', 'F or M')
        """
        if len(self.words) > MOST_SHOWN_WORDS:
            return f"{len(self.words):,} words"
        if self.words:
            return " or ".join(self.words)
        if self.low is None or self.high is None:
            return ""
        return " to ".join(cell_text("date" if self.date else "number", edge) for edge in (self.low, self.high))

    def read(self, text: str) -> tuple[float | None, str]:
        """The number that a text stands for, and what is wrong or odd about it; None where it stands for none.

        >>> age = ValueField("age", "years", 50, 100, mean=73, scale=7)
        >>> age.read("71,5"), age.read("7"), age.read("old"), age.read("")
        ((71.5, ''), (7.0, 'not within 50 to 100 years'), (None, 'no number'), (None, ''))
        >>> ValueField("ward", words=("A", "B"), other_words=True).read("c")
        (2.0, 'not known to the model: taken as a rare word')
        """
        text = text.strip()
        if text in EMPTY:
            return None, ""
        if self.words and self.other_words:
            known = text in self.words
            return (float(self.words.index(text)), "") if known else (float(len(self.words)), RARE)
        place = {word.lower(): code for code, word in enumerate(self.words)}
        if self.date:
            day = float(dates([text])[0])
            value = None if math.isnan(day) else day
        else:
            value = float(place[text.lower()]) if text.lower() in place else number_of(text)
        if value is None:
            return None, f"one of {self.range_text}" if self.words else NO_DATE if self.date else "no number"
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            return value, f"not within {self.range_text} {self.unit}".rstrip()
        return value, ""

    def away(self, value: float) -> float:
        """How far a value is from the mean of those trained on, in standard deviations."""
        return (value - self.mean) / self.scale


def pasted(text: str, fields: Sequence[ValueField]) -> tuple[dict[str, str], list[str]]:
    """Values by name from cells of a spreadsheet, and the names that are no value of the model.

    Either a name and its value a line, or a line of names over a line of values. Names are told by their letters alone.

    >>> pasted("Age\\t71\\nheight (cm)\\t170", [ValueField("age"), ValueField("height_cm")])
    ({'age': '71', 'height_cm': '170'}, [])
    >>> pasted("age,site,x\\n71,A,2", [ValueField("age"), ValueField("x")])
    ({'age': '71', 'x': '2'}, ['site'])
    """
    known = {_letters(field.name): field.name for field in fields}
    rows = _cells(text)
    if len(rows) >= 2 and (len(rows[0]) > 2 or not any(_letters(row[0]) in known for row in rows[1:])):
        pairs: Iterable[tuple[str, str]] = zip(rows[0], rows[1], strict=False)
    else:
        pairs = ((row[0], row[1]) for row in rows if len(row) > 1)
    found: dict[str, str] = {}
    unknown: list[str] = []
    for name, value in pairs:
        if (own := known.get(_letters(name))) is not None:
            found[own] = value.strip()
        elif name.strip():
            unknown.append(name.strip())
    return found, unknown


def read_values(path: Path, fields: Sequence[ValueField], control: JobControl) -> tuple[dict[str, str], list[str]]:
    """As `pasted`, from the first row of a table or from a JSON file. Raises DatasetError."""
    control.progress(None, f"Reading {path.name}")
    if path.suffix.lower() == ".json":
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DatasetError(f"larger than {MAX_BYTES:,} bytes", where=path)
            tree = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"not readable ({str(error).splitlines()[0][:100]})", where=path) from None
        if isinstance(tree, list):
            tree = tree[0] if tree else {}
        inner = tree.get("clinical", tree) if isinstance(tree, dict) else {}
        names = {field.name for field in fields}
        values = {str(name): str(value) for name, value in inner.items() if value is not None}
        return (
            {name: value for name, value in values.items() if name in names},
            [name for name in values if name not in names],
        )
    table = read_table(path, control)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t")
    writer.writerow(table.names)
    writer.writerow([cell_of(column, 0) for column in table.columns.values()])
    return pasted(text.getvalue(), fields)


def _cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    sign = max("\t;,", key=lambda one: lines[0].count(one))
    return list(csv.reader(lines, delimiter=sign))


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
