"""What is wrong or suspect in a table that is to be learned from: one list, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.tables.table import MISSING, Column, Table
from core.imaging.volume import Finding
from core.metrics.classification import auroc

Array = np.ndarray[Any, Any]

MANY_LEVELS = 1_000
# A single column that ranks the outcome better than this is rarely honest.
SUSPECT_AUROC = 0.98
RARE_SHARE = 0.05
MIXED_SHARE = 0.3  # numbers among the cells of a column of words
LEAK_ROWS = 20_000
MOST_TOLD = 5
NONE_LEFT = "no-columns"  # the finding that nothing is left to learn from


@dataclass(frozen=True)
class ColumnFacts:
    """What is shown of a column. `range`: lowest, median and highest of numbers; `top`: the commonest words."""

    name: str
    kind: str
    missing: float
    different: int
    range: tuple[float, float, float] | None
    top: tuple[tuple[str, int], ...]


def facts_of(column: Column) -> ColumnFacts:
    """The summary of one column."""
    empty = column.missing
    share = float(empty.mean()) if len(column) else 1.0
    if column.kind in ("number", "date"):
        filled = column.values[~empty]
        finite = filled[np.isfinite(filled)]
        edges = tuple(float(np.quantile(finite, q)) for q in (0.0, 0.5, 1.0)) if len(finite) else None
        return ColumnFacts(column.name, column.kind, share, len(np.unique(filled)), edges, ())  # type: ignore[arg-type]
    if column.kind == "category":
        counts = np.bincount(column.values[~empty], minlength=len(column.levels))
        order = np.argsort(counts)[::-1][:5]
        top = tuple((column.levels[code], int(counts[code])) for code in order)
        return ColumnFacts(column.name, column.kind, share, int((counts > 0).sum()), None, top)
    different = len({cell for cell in column.values if cell is not None})
    return ColumnFacts(column.name, column.kind, share, different, None, ())


def check_columns(table: Table, rows: Array | None = None) -> list[Finding]:
    """Findings about single columns, whatever is to be learned. rows: look at these only."""
    findings = []
    for whole in table.columns.values():
        column = whole if rows is None else whole.take(rows)
        facts = facts_of(column)
        name = column.name
        if facts.missing == 1:
            findings.append(Finding("all-missing", "warning", f"{name} is empty in every row; it is left out."))
        elif facts.different == 1:
            findings.append(Finding("constant", "warning", f"{name} has one value in every row; it is left out."))
        elif column.kind == "text":
            findings.append(Finding("free-text", "warning", f"{name} is free text; it is left out."))
        elif column.kind == "category" and facts.different > MANY_LEVELS:
            what = f"{name} has {facts.different:,} different words; the rare ones are taken as one."
            findings.append(Finding("many-levels", "warning", what))
        if column.unread and column.kind in ("number", "date"):
            held = "1 cell holds" if column.unread == 1 else f"{column.unread:,} cells hold"
            what = f"{name}: {held} no {column.kind}; counted as missing."
            findings.append(Finding("mixed", "warning", what))
        elif column.kind == "category" and (share := _numeric_share(column)) > MIXED_SHARE:
            what = f"{name} holds words and numbers ({share:.0%} of its cells), and is read as words; where the words"
            what += f" only say that a number is missing, set data.kinds.{name}=number."
            findings.append(Finding("mixed", "warning", what))
        if column.kind == "number" and np.isinf(column.values).any():
            findings.append(Finding("infinite", "warning", f"{name} holds infinite values; they count as missing."))
        if is_identifier(column):
            what = f"{name} is different in every row, as an identifier is; it is left out."
            findings.append(Finding("identifier", "warning", what))
    if findings and all(tells_nothing(c if rows is None else c.take(rows)) for c in table.columns.values()):
        why = " ".join(finding.message for finding in findings[:MOST_TOLD])
        findings.append(Finding(NONE_LEFT, "error", f"No column is left to learn from. {why}"))
    return findings


def _numeric_share(column: Column) -> float:
    """The part of the filled cells of a column of words that are numbers."""
    counts = np.bincount(column.values[column.values != MISSING], minlength=len(column.levels))
    numbers = np.array([_is_number(level) for level in column.levels], bool)
    return float(counts[numbers].sum() / max(counts.sum(), 1)) if not numbers.all() else 0.0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_identifier(column: Column) -> bool:
    """Whether a column numbers or names the rows: whole numbers or words, none of them twice."""
    if len(column) < 50 or column.missing.any():
        return False
    if column.kind == "number":
        values = column.values
        return bool((values == np.rint(values)).all()) and len(np.unique(values)) == len(values)
    if column.kind == "category":
        return len(np.unique(column.values)) == len(column)
    return False


def tells_nothing(column: Column, *, identifiers: bool = False) -> bool:
    """Whether nothing can be learned from a column: empty, constant, free text, or an identifier unless kept."""
    facts = facts_of(column)
    empty = facts.missing == 1 or facts.different <= 1 or column.kind == "text"
    return empty or (not identifiers and is_identifier(column))


def check_classes(classes: Array, names: Sequence[str]) -> list[Finding]:
    """Findings about the outcome of a classification; `classes` are codes into `names`."""
    counts = np.bincount(classes, minlength=len(names))
    findings = []
    if (counts > 0).sum() < 2:
        findings.append(Finding("one-class", "error", "The outcome is the same in every row; nothing can be learned."))
        return findings
    for name, count in zip(names, counts, strict=True):
        if 0 < count < 5:
            what = (
                f"The outcome {name} is there {'once' if count == 1 else f'{count} times'} only; every part of the data"
            )
            what += " needs some."
            findings.append(Finding("few-of-class", "error" if count < 2 else "warning", what))
    rare = counts[counts > 0].min() / counts.sum()
    if rare < RARE_SHARE:
        what = f"The rarest outcome makes {rare:.1%} of the rows; accuracy says little, look at the AUPRC."
        findings.append(Finding("imbalance", "info", what))
    return findings


def check_leaks(table: Table, rows: Array, classes: Array, control: JobControl | None = None) -> list[Finding]:
    """Columns that tell the outcome nearly alone, as a value that was written after it does.

    rows: those that have an outcome, and classes: their codes.
    """
    control = control or JobControl()
    if len(rows) > LEAK_ROWS:
        chosen = np.random.default_rng(0).choice(len(rows), LEAK_ROWS, replace=False)
        rows, classes = rows[chosen], classes[chosen]
    truth = classes
    findings = []
    for column in table.columns.values():
        control.check()
        for score, how in _scores(column.take(rows), truth):
            one = truth == truth.max()
            if 0 < one.sum() < len(one):
                area = auroc(score, one)
                if max(area, 1 - area) > SUSPECT_AUROC:
                    name = f"{column.name} {how}".rstrip()
                    what = f"{name} tells the outcome nearly alone (AUROC {max(area, 1 - area):.3f})"
                    what += ": was it written after the outcome? Leave it out, or be sure."
                    findings.append(Finding("leak", "warning", what))
                    break
    return findings


def _scores(column: Column, truth: Array) -> list[tuple[Array, str]]:
    """Numbers that rank the rows by one column, and by whether it is filled in."""
    empty = column.missing.astype(np.float64)
    scores: list[tuple[Array, str]] = []
    if column.kind in ("number", "date"):
        values = np.where(np.isfinite(column.values), column.values, np.nan)
        if not np.isnan(values).all():
            scores.append((np.where(np.isnan(values), np.nanmedian(values), values), ""))
    elif column.kind == "category" and len(column.levels) <= max(len(truth) // 20, 2):
        codes = np.where(column.values < 0, len(column.levels), column.values)
        sums = np.bincount(codes, weights=truth == truth.max(), minlength=len(column.levels) + 1)
        counts = np.bincount(codes, minlength=len(column.levels) + 1)
        scores.append(((sums / np.maximum(counts, 1))[codes], ""))
    if 0 < empty.mean() < 1:
        scores.append((empty, "being empty or not"))
    return scores
