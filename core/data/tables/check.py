"""What is wrong or suspect in a table that is to be learned from: one list, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.tables.table import Column, Table
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

MANY_LEVELS = 1_000
# A single column that ranks the outcome better than this is rarely honest.
SUSPECT_AUROC = 0.98
RARE_SHARE = 0.05
LEAK_ROWS = 20_000


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


def check_columns(table: Table) -> list[Finding]:
    """Findings about single columns, whatever is to be learned."""
    findings = []
    for column in table.columns.values():
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
        if column.kind == "number" and np.isinf(column.values).any():
            findings.append(Finding("infinite", "warning", f"{name} holds infinite values; they count as missing."))
        if is_identifier(column):
            what = f"{name} is different in every row, as an identifier is; it is left out."
            findings.append(Finding("identifier", "warning", what))
    return findings


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


def left_out(table: Table, *, identifiers: bool = False) -> list[str]:
    """The columns from which nothing can be learned: empty, constant, free text, and identifiers unless kept."""
    names = []
    for column in table.columns.values():
        facts = facts_of(column)
        empty = facts.missing == 1 or facts.different <= 1 or column.kind == "text"
        if empty or (not identifiers and is_identifier(column)):
            names.append(column.name)
    return names


def check_classes(classes: Array, names: Sequence[str]) -> list[Finding]:
    """Findings about the outcome of a classification; `classes` are codes into `names`."""
    counts = np.bincount(classes, minlength=len(names))
    findings = []
    if (counts > 0).sum() < 2:
        findings.append(Finding("one-class", "error", "The outcome is the same in every row; nothing can be learned."))
        return findings
    for name, count in zip(names, counts, strict=True):
        if 0 < count < 5:
            what = f"The outcome {name} is there {count} times only; every part of the data needs some."
            findings.append(Finding("few-of-class", "error" if count < 2 else "warning", what))
    rare = counts[counts > 0].min() / counts.sum()
    if rare < RARE_SHARE:
        what = f"The rarest outcome makes {rare:.1%} of the rows; accuracy says little, look at the AUPRC."
        findings.append(Finding("imbalance", "info", what))
    return findings


def check_leaks(table: Table, classes: Array, control: JobControl | None = None) -> list[Finding]:
    """Columns that tell the outcome nearly alone, as a value that was written after it does."""
    from sklearn.metrics import roc_auc_score

    control = control or JobControl()
    rows = np.arange(len(table))
    if len(rows) > LEAK_ROWS:
        rows = np.random.default_rng(0).choice(rows, LEAK_ROWS, replace=False)
    truth = classes[rows]
    findings = []
    for column in table.columns.values():
        control.check()
        for score, how in _scores(column.take(rows), truth):
            one = truth == truth.max()
            if 0 < one.sum() < len(one):
                area = float(roc_auc_score(one, score))
                if max(area, 1 - area) > SUSPECT_AUROC:
                    what = f"{column.name} {how} tells the outcome nearly alone (AUROC {max(area, 1 - area):.3f})"
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
