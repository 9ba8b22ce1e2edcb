"""Who is asked about: the subjects that files name, whatever of MRI, PET and clinical values there is of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.control import JobControl
from core.data.cohort.checks import of_images, of_values
from core.data.cohort.columns import USUAL, number_of
from core.data.cohort.images import facts_of
from core.data.cohort.subject import Cohort, Subject
from core.data.tables.read import is_table, read_table
from core.errors import DatasetError, IsocenterError, UnsuitableScan
from core.imaging.reader import read
from core.imaging.volume import Finding
from core.tasks.alzheimers.plan import RiskPlan
from core.tasks.alzheimers.preparing import read_for

TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".txt")
TREES = (".json", ".yaml", ".yml")
MAX_TREE_BYTES = 20_000_000
# What a cohort's check says of learning from it, which is not what it is read for here.
OF_LEARNING = ("no-score", "few-subjects", "several-visits", "no-mri", "no-pet", "leak", "all-missing", "simulated")
OF_RANGES = ("out-of-range", "other-unit")
OWN_KEYS = ("id", "visit", "mri", "pet")
MRI_WORDS, PET_WORDS = ("t1w", "t1", "mri", "mr", "mprage"), ("pet", "fdg", "suvr", "pt")


def subjects_of(
    paths: Sequence[Path], options: Mapping[str, Any], plan: RiskPlan, control: JobControl
) -> tuple[list[Subject], list[Finding]]:
    """The subjects with their values in the plan's order, and what is to be told of the files.

    paths: cohorts, tables and JSON or YAML files, each with one subject or more; or the images of one subject, told
    apart by their names. options: mri, pet, clinical name those of one subject outright.
    Raises DatasetError or IsocenterError.
    """
    named = {key: options.get(key) for key in ("mri", "pet", "clinical")}
    found: list[Subject] = []
    findings: list[Finding] = []
    images: dict[str, Path] = {key: Path(of) for key in ("mri", "pet") if (of := named[key]) is not None}
    for path in paths:
        if _holds_subjects(path):
            subjects, told = _read(path, plan, control)
            found += subjects
            findings += told
            continue
        kind = _kind_by_name(path)
        if kind is None or kind in images:
            raise IsocenterError(
                "it is not clear whether this is the MRI or the PET of the subject", where=path,
                mend="Name the files: --mri SCAN --pet SCAN.",
            )  # fmt: skip
        images[kind] = path
    if images or named["clinical"] is not None:
        clinical = np.full(len(plan.values), np.nan, np.float32)
        name = ""
        if named["clinical"] is not None:
            subjects, told = _read(Path(named["clinical"]), plan, control)
            findings += told
            if len(subjects) != 1:
                raise DatasetError(
                    f"{len(subjects)} subjects are in this file; one is asked about", where=named["clinical"],
                    mend="Give the file of this subject alone, or a table that names its images too.",
                )  # fmt: skip
            clinical, name = subjects[0].clinical, subjects[0].id
        for path in images.values():
            if not path.exists():
                raise IsocenterError("there is no such file", where=path)
        name = name or next(path.name.partition(".")[0] for path in images.values())
        subject, told = looked_at(Subject(name, "", images.get("mri"), images.get("pet"), clinical, None), control)
        found.append(subject)
        findings += told
    if not found:
        raise IsocenterError("no subject is given", mend="Give scans, a table or --mri, --pet and --clinical.")
    return found, findings


def looked_at(subject: Subject, control: JobControl) -> tuple[Subject, list[Finding]]:
    """A subject with the contents of its images, checked as those of a cohort are.

    Raises UnsuitableScan where MRI and PET are swapped, UnreadableScan where one cannot be read.
    """
    facts = {}
    for kind in ("mri", "pet"):
        if (image := getattr(subject, kind)) is not None:
            facts[kind] = facts_of(read(image, control.silent()))
    found = of_images([(1, subject.id, facts)])
    findings = [
        Finding(one.code, one.severity, re.sub(r"row 1 \(([^,()]+)(\)|, )", _named_only, one.message)) for one in found
    ]
    if wrong := [finding.message for finding in findings if finding.severity == "error"]:
        raise UnsuitableScan(" ".join(wrong), where=subject.mri or subject.pet)
    contents = {kind: known.content for kind, known in facts.items()}
    return replace(subject, contents=contents), findings


def _named_only(found: re.Match[str]) -> str:
    """A subject alone has no row: "a" for "row 1 (a)", "a (60 mm)" for "row 1 (a, 60 mm)"."""
    return found[1] if found[2] == ")" else f"{found[1]} ("


def _holds_subjects(path: Path) -> bool:
    return path.suffix.lower() in (*TABLES, *TREES) or (path / "participants.tsv").is_file()


def _kind_by_name(path: Path) -> str | None:
    """What an image is by the words of its name.

    >>> _kind_by_name(Path("sub-01_pet.nii.gz")), _kind_by_name(Path("a/sub-01_T1w.nii")), _kind_by_name(Path("x.nii"))
    ('pet', 'mri', None)
    """
    words = "".join(c if c.isalnum() else " " for c in path.name.lower()).split()
    kinds = [kind for kind, known in (("mri", MRI_WORDS), ("pet", PET_WORDS)) if set(words) & set(known)]
    return kinds[0] if len(kinds) == 1 else None


def _read(path: Path, plan: RiskPlan, control: JobControl) -> tuple[list[Subject], list[Finding]]:
    if path.suffix.lower() in TREES:
        return _from_tree(path, plan, control)
    if (row := _nameless(path, control)) is not None:
        subject, told = _subject(row, path, 0, plan, control)
        return [subject], [*told, *_outside([subject], 2, plan)]
    cohort = read_for(plan, path, control)
    if wrong := [finding.message for finding in cohort.findings if finding.severity == "error"]:
        raise DatasetError(" ".join(wrong[:8]), where=path)
    subjects = _as_planned(cohort, plan)
    told = [finding for finding in cohort.findings if finding.code not in (*OF_LEARNING, *OF_RANGES)]
    return subjects, [*told, *_outside(subjects, 2, plan)]


def _outside(subjects: Sequence[Subject], first_row: int, plan: RiskPlan) -> list[Finding]:
    """Values outside of the model's own ranges, which a table need not tell; a single row need not have them all."""
    found = of_values(list(enumerate(subjects, first_row)), plan.features)
    return [finding for finding in found if finding.code in OF_RANGES]


def _nameless(path: Path, control: JobControl) -> dict[str, str] | None:
    """The filled cells of a table with a single row that names nobody, such as a clinic writes for one person."""
    if not is_table(path):
        return None
    table = read_table(path, control, as_text=True)
    if len(table) != 1 or {name.lower() for name in table.columns} & set(USUAL["subject"]):
        return None
    cells = {name: column.strings()[0] for name, column in table.columns.items()}
    return {name: cell for name, cell in cells.items() if cell is not None}


def _as_planned(cohort: Cohort, plan: RiskPlan) -> list[Subject]:
    """The cohort's subjects with the plan's values."""
    values = plan.arranged(cohort, range(len(cohort)))
    return [
        Subject(s.id, s.visit, s.mri, s.pet, values[row], s.target, s.facts, s.contents)
        for row, s in enumerate(cohort.subjects)
    ]


def _from_tree(path: Path, plan: RiskPlan, control: JobControl) -> tuple[list[Subject], list[Finding]]:
    """From JSON or YAML: one subject as {"id", "mri", "pet", value: number, ...}, or a list of such."""
    try:
        if path.stat().st_size > MAX_TREE_BYTES:
            raise DatasetError(f"larger than {MAX_TREE_BYTES:,} bytes", where=path)
        text = path.read_text(encoding="utf-8")
        tree = json.loads(text) if path.suffix.lower() == ".json" else config.read_yaml(text)
    except OSError as error:
        raise DatasetError(f"cannot be read ({error.strerror or error})", where=path) from None
    except Exception as error:  # the readers' own errors, of many types
        if isinstance(error, IsocenterError):
            raise
        raise DatasetError(f"not readable ({str(error).splitlines()[0][:200]})", where=path) from None
    rows = tree if isinstance(tree, list) else [tree]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DatasetError("a subject is a table of names and numbers", where=path)
    subjects, findings = [], []
    for number, row in enumerate(rows):
        row = {**row, **row["clinical"]} if isinstance(row.get("clinical"), dict) else row
        subject, told = _subject(row, path, number, plan, control)
        subjects.append(subject)
        findings += told
    return subjects, [*findings, *_outside(subjects, 1, plan)]


def _subject(
    row: Mapping[str, Any], path: Path, number: int, plan: RiskPlan, control: JobControl
) -> tuple[Subject, list[Finding]]:
    name = str(row.get("id") or (path.stem if number == 0 else f"{path.stem} {number + 1}"))
    findings = []
    known = {value.name: place for place, value in enumerate(plan.values)}
    clinical = np.full(len(known), np.nan, np.float32)
    for key, cell in row.items():
        if key in OWN_KEYS or isinstance(cell, dict) or cell is None:
            continue
        if key not in known:
            findings.append(Finding("unknown-value", "warning", f"{name}: {key} is no value of the model; not used."))
            continue
        found = _number(cell, plan.values[known[key]].words)
        if found is None:
            what = f"{name}: {key} is {str(cell)[:40]!r}, no number; taken as missing."
            findings.append(Finding("no-number", "warning", what))
            continue
        clinical[known[key]] = found
    files: dict[str, Path | None] = {}
    for kind in ("mri", "pet"):
        given = row.get(kind)
        files[kind] = None if not given else (path.parent / str(given)).absolute()
        if files[kind] is not None and not files[kind].exists():  # type: ignore[union-attr]
            raise DatasetError(f"the {kind.upper()} of {name} is not there", where=files[kind])
    subject, told = looked_at(
        Subject(name, str(row.get("visit", "")), files["mri"], files["pet"], clinical, None), control
    )
    return subject, findings + told


def _number(cell: Any, words: Sequence[str]) -> float | None:
    small = [word.lower() for word in words]
    if isinstance(cell, str):
        text = cell.strip().lower()
        return float(small.index(text)) if text in small else number_of(text)
    try:
        found = float(cell)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
