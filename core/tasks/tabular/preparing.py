"""What a run on a table is made of before it is trained: the table checked, its rows split, its coding fixed."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field

from core.control import JobControl
from core.counting import counted
from core.data.tables.check import check_classes, check_columns, check_leaks
from core.data.tables.encode import TableCoding, fit_coding
from core.data.tables.read import read_table
from core.data.tables.table import Column, Kind, Table, let_go
from core.errors import ConfigError, DatasetError
from core.imaging.volume import Finding
from core.kept import kept_lists, kept_part
from core.registry import Part
from core.tasks.tabular.splitting import draw
from core.training.given import Preparation

Array = np.ndarray[Any, Any]

PLAN, SPLIT = "plan.yaml", "split.safetensors"
SPLIT_OF_BEFORE = "split.json"  # of runs that were begun when the parts were kept as text
MOST_TOLD_CLASSES = 6
MORE = {"category": "categories"}
PARTS = ("train", "val", "test")
MOST_SPLIT_BYTES = 1 << 30
MOST_CLASSES = 100
# A whole number with more different values than this is a quantity, not a name of a class.
MOST_NUMBERED_CLASSES = 20
FEWEST_ROWS = 20


class Outcome(Part):
    """What is predicted. classes: by code; none where it is a number, which is standardised by `mean` and `scale`."""

    column: str = Field(max_length=500)
    classes: list[str] = Field([], max_length=MOST_CLASSES)
    mean: float = 0.0
    scale: float = Field(1.0, gt=0)

    @property
    def outputs(self) -> int:
        """The network's: one for each class, or one for a number."""
        return len(self.classes) or 1

    def codes(self, column: Column) -> Array:
        """(rows,) int64 class codes, -1 for one that is not known; or (rows,) float32 standardised values, or NaN."""
        if not self.classes:
            values = np.asarray(column.as_kind("number").values, np.float64)
            return ((np.where(np.isfinite(values), values, np.nan) - self.mean) / self.scale).astype(np.float32)
        place = {name: code for code, name in enumerate(self.classes)}
        codes, names = column.words()
        return np.array([*(place.get(name, -1) for name in names), -1], np.int64)[codes]

    def truth(self, column: Column) -> Array:
        """As `codes`, but values in their own unit, float64."""
        codes = self.codes(column)
        return codes if self.classes else codes.astype(np.float64) * self.scale + self.mean


class TablePlan(Part):
    """What is fixed of a run, and kept with its model. rows_sha256: of the table's cells, to know it again.

    kinds: of columns whose guess was corrected. group: the column that names the subject, where there is one.
    """

    coding: TableCoding
    outcome: Outcome
    rows_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    kinds: dict[str, Kind] = Field({})
    group: str | None = Field(None, max_length=500)

    def encode(self, table: Table, rows: Array) -> tuple[Array, Array, Array]:
        """Numbers, codes and target of some of a table's rows, as `Rows` holds them."""
        return *self.coding.encode(table, rows), self.outcome.codes(table[self.outcome.column].take(rows))


@dataclass(frozen=True)
class CheckedTable:
    """A table with what the check found. `rows`: those with an outcome, by number; `target`: their codes or values."""

    path: Path
    table: Table
    findings: Sequence[Finding]
    outcome: Outcome | None = None
    rows: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    target: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def usable(self) -> bool:
        return self.outcome is not None and not any(finding.severity == "error" for finding in self.findings)

    @property
    def learned(self) -> Outcome:
        """The outcome. Raises DatasetError where there is none."""
        if self.outcome is None:
            raise DatasetError("there is no outcome to learn", where=self.path)
        return self.outcome

    @property
    def strata(self) -> Array | None:
        """The class of each of `rows`; None for numbers."""
        return self.target if self.outcome is not None and self.outcome.classes else None

    def groups(self, data: Any) -> Array | None:
        """A number for the subject of each of `rows`; None where no column names them."""
        return None if data.group is None else subjects(self.table[data.group].take(self.rows))

    @property
    def columns(self) -> dict[str, str]:
        """The kind of each column, by name."""
        return {name: column.kind for name, column in self.table.columns.items()}

    def described(self) -> list[tuple[str, str]]:
        """What a person wants to know of the table, as pairs of name and text."""
        kinds = Counter(self.columns.values())
        rows = [("Rows", f"{len(self.table):,}")]
        told = [counted(count, "free text" if kind == "text" else kind, MORE.get(kind, "")) for kind, count in
                kinds.most_common()]  # fmt: skip
        rows.append(("Columns", ", ".join(told)))
        if self.outcome is not None:
            rows.append((self.outcome.column, self.outcomes()))
        return rows

    def outcomes(self) -> str:
        """How many rows there are with each outcome, in words."""
        names = self.learned.classes
        if not names:
            return "a number"
        counts = np.bincount(self.target, minlength=len(names)).tolist()
        told = [f"{count:,} with {name}" for name, count in zip(names, counts, strict=True)][:MOST_TOLD_CLASSES]
        return ", ".join(told) + (f", and {len(names) - len(told)} more" if len(names) > len(told) else "")

    def summary(self) -> str:
        found = f"{counted(len(self.table), 'row')}, {counted(len(self.table.columns), 'column')}"
        return found if self.outcome is None else f"{found}; {self.outcome.column}: {self.outcomes()}"


def read_inputs(path: Path, data: Any, control: JobControl) -> Table:
    """The table with the kinds that the settings ask for."""
    table = read_table(path, control)
    return with_kinds(table, data.kinds) if data.kinds else table


def with_kinds(table: Table, kinds: Mapping[str, Kind]) -> Table:
    """The table with some columns read as another kind."""
    return Table({name: c.as_kind(kinds[name]) if name in kinds else c for name, c in table.columns.items()})


def checked(experiment: Any, control: JobControl) -> CheckedTable:
    """The table of an experiment with its findings.

    Without an outcome chosen that is its one finding, so that the columns can be chosen from.
    Raises ConfigError where no table is chosen, DatasetError where there is no such table or column.
    """
    data = experiment.data
    if data.path is None:
        raise ConfigError("no table is chosen", mend="Set data.path to a CSV, TSV, Excel or Parquet file.")
    path = data.path.expanduser().absolute()
    table = read_inputs(path, data, control)
    if not data.target:
        return CheckedTable(path, table, [Finding("no-target", "error", "No outcome is chosen.")])
    for name in filter(None, (data.target, data.group)):
        if name not in table.columns:
            near = difflib.get_close_matches(name, table.names, n=3, cutoff=0.5) or table.names
            raise DatasetError(f"there is no column {name!r}", where=path, mend=f"There are: {_some(near)}.")
    findings = [
        Finding("no-such-column", "info", f"{name} is to be left out, and is not in the table.")
        for name in [*data.leave_out, *data.kinds]
        if name not in table.columns
    ]
    try:
        outcome, rows, more = _outcome(table[data.target], experiment.task.kind)
    except DatasetError as error:
        findings += [Finding("outcome", "error", str(error)), *check_columns(inputs_of(table, data))]
        return CheckedTable(path, table, findings)
    findings += more
    used = inputs_of(table, data)
    target = outcome.codes(table[data.target].take(rows))
    findings += check_columns(used, rows)
    if outcome.classes:
        findings += check_classes(target, outcome.classes)
        findings += check_leaks(used, rows, target, control)
    if len(rows) < FEWEST_ROWS:
        there = "There is" if len(rows) == 1 else "There are"
        what = f"{there} {counted(len(rows), 'row')} with an outcome; at least {FEWEST_ROWS} are needed."
        findings.append(Finding("few-rows", "error", what))
    return CheckedTable(path, table, findings, outcome, rows, target)


def inputs_of(table: Table, data: Any) -> Table:
    """The columns that may be learned from."""
    return table.without([*data.leave_out, data.target, *([data.group] if data.group else [])])


def _outcome(column: Column, kind: str) -> tuple[Outcome, Array, list[Finding]]:
    """What is predicted, the rows that have it, and what is to be told. Raises DatasetError where nothing can be."""
    findings = []
    bad = column.missing | (np.isinf(column.values) if column.kind == "number" else False)
    rows = np.flatnonzero(~bad)
    if bad.any():
        one = int(bad.sum()) == 1
        what = f"{counted(int(bad.sum()), 'row')} {'has' if one else 'have'} no usable {column.name}, and"
        what += f" {'is' if one else 'are'} left out."
        findings.append(Finding("no-outcome", "warning", what))
    if not len(rows):
        raise DatasetError(f"{column.name} is empty in every row")
    if column.kind in ("text", "date"):
        raise DatasetError(f"{column.name} holds {'free text' if column.kind == 'text' else 'dates'}, no outcome")
    kept = column.take(rows)
    if kind == "regression" or (kind == "auto" and _is_quantity(kept)):
        if kept.kind != "number":
            raise DatasetError(f"{column.name} holds words, which no regression predicts")
        mean, scale = float(np.mean(kept.values, dtype=np.float64)), float(np.std(kept.values, dtype=np.float64))
        if not np.isfinite(scale) or scale == 0:
            raise DatasetError(f"{column.name} has one value in every row; nothing can be learned")
        return Outcome(column=column.name, mean=mean, scale=scale), rows, findings
    codes, written = kept.words()
    names = {written[code] for code in np.flatnonzero(np.bincount(codes, minlength=len(written)))}
    if len(names) > MOST_CLASSES:
        raise DatasetError(f"{column.name} has {len(names):,} different values, more than {MOST_CLASSES} classes")
    ordered = sorted(names, key=float) if column.kind == "number" else sorted(names)
    return Outcome(column=column.name, classes=ordered), rows, findings


def _is_quantity(column: Column) -> bool:
    if column.kind != "number":
        return False
    different = np.unique(column.values)
    return len(different) > MOST_NUMBERED_CLASSES or bool((different != np.rint(different)).any())


def usable(experiment: Any, control: JobControl) -> CheckedTable:
    """The checked table of an experiment that can be trained on. Raises ConfigError or DatasetError else."""
    found = checked(experiment, control)
    if not experiment.data.target:
        raise ConfigError("no outcome is chosen", mend=f"Set data.target to one of: {_some(found.table.names)}.")
    errors = [finding.message for finding in found.findings if finding.severity == "error"]
    if found.outcome is None or errors:
        raise DatasetError(" ".join(errors), where=found.path, mend="Mend the table, or choose other columns.")
    return found


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the table, split its rows and fit the coding to the training rows.

    Raises ConfigError or DatasetError where the experiment cannot work.
    """
    found = usable(experiment, control)
    control.progress(None, "Splitting the rows")
    data = experiment.data
    split = draw(
        len(found.rows), found.strata, found.groups(data), data.val_fraction, data.test_fraction, experiment.seed
    )
    ready = preparation(experiment, found, {part: found.rows[index] for part, index in split.items()})
    columns = dict(found.table.columns)
    del found
    let_go(columns)
    return ready


def preparation(experiment: Any, found: CheckedTable, split: dict[str, Array]) -> Preparation:
    """A run of a checked table whose parts are these rows. Raises DatasetError where it cannot learn all outcomes."""
    outcome = found.learned
    coding = fit_coding(inputs_of(found.table, experiment.data), split["train"])
    if outcome.classes:
        _require_classes(outcome, found, split)
    plan = TablePlan(
        coding=coding, outcome=outcome, rows_sha256=fingerprint(found.table), kinds=experiment.data.kinds,
        group=experiment.data.group,
    )  # fmt: skip
    parts = ", ".join(f"{len(rows):,} {part}" for part, rows in split.items() if len(rows))
    return Preparation(
        experiment=experiment, data_path=found.path, layout="table", cases=len(found.rows), findings=found.findings,
        files={PLAN: yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False, allow_unicode=True)},
        long_files={SPLIT: _split_bytes(split)},
        remarks=[
            f"{counted(len(found.rows), 'row')} ({parts}); {outcome.column}: {found.outcomes()}.",
            f"{counted(len(coding.numbers), 'column')} of numbers and {len(coding.words)} of words to learn from.",
        ],
    )  # fmt: skip


def _require_classes(outcome: Outcome, found: CheckedTable, split: dict[str, Array]) -> None:
    """Each class has to be in the training rows, or it can never be predicted."""
    train = found.target[np.searchsorted(found.rows, split["train"])]
    counts = np.bincount(train, minlength=len(outcome.classes))
    gone = [name for name, count in zip(outcome.classes, counts, strict=True) if not count]
    if gone:
        raise DatasetError(
            f"no training row has the outcome {_some(gone)}", where=found.path,
            mend="Leave such rows out, join rare outcomes, or take another seed.",
        )  # fmt: skip


def fingerprint(table: Table) -> str:
    """The sha256 of a table's names and cells."""
    found = hashlib.sha256()
    for name, column in table.columns.items():
        found.update(name.encode())
        values = column.strings() if column.kind in ("category", "text") else None
        if values is None:
            # In place: a copy would hold Python's lock, and with it the window, for milliseconds a column.
            found.update(np.ascontiguousarray(column.values).view(np.uint8).data)
        else:
            found.update("\0".join(v or "" for v in values).encode())
    return found.hexdigest()


def load_plan(folder: Path) -> TablePlan:
    """The plan of a run's folder."""
    return kept_part(folder / PLAN, TablePlan)


def load_split(folder: Path) -> dict[str, Array]:
    """The row numbers of a run's parts: train, val, test. Raises DatasetError where they cannot be read."""
    import safetensors
    from safetensors.numpy import load

    path = folder / SPLIT
    if not path.is_file() and (before := folder / SPLIT_OF_BEFORE).is_file():
        kept = kept_lists(before)
        return {part: np.asarray(rows, np.int64) for part, rows in kept.items()}
    try:
        if path.stat().st_size > MOST_SPLIT_BYTES:
            raise DatasetError("too large to be the parts of a table", where=path)
        split = load(path.read_bytes())
    except (OSError, safetensors.SafetensorError, KeyError, ValueError) as error:
        raise DatasetError(f"the parts of the run's table cannot be read ({error})", where=path) from None
    if set(split) != set(PARTS) or any(rows.dtype != np.int64 or rows.ndim != 1 for rows in split.values()):
        raise DatasetError("these are no parts of a table", where=path)
    return {part: split[part] for part in PARTS}


def _split_bytes(split: Mapping[str, Array]) -> bytes:
    """The parts in binary: a million row numbers written and read as text would hold Python's lock, and the window."""
    from safetensors.numpy import save

    rows = {part: np.ascontiguousarray(split.get(part, ()), np.int64) for part in PARTS}
    return bytes(save(rows))


def subjects(column: Column) -> Array:
    """A number for each subject; rows without one are each a subject of their own."""
    codes, names = column.words()
    codes = np.where(codes < 0, len(names) + np.arange(len(codes)), codes)
    return np.asarray(np.unique(codes, return_inverse=True)[1])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
