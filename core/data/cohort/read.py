"""Reading a cohort: a table of subjects, or a BIDS folder, with everything that is wrong found at once."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.control import JobControl
from core.data.cohort import checks
from core.data.cohort.columns import Cells, Chosen, choose, description_of, feature_of
from core.data.cohort.images import ImageCache, ImageFacts
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Cohort, Feature, Subject
from core.data.tables.read import is_table, read_table
from core.errors import DatasetError, IsocenterError
from core.imaging.titles import is_volume_name
from core.imaging.volume import Finding

PARTICIPANTS = "participants.tsv"
MOST_ROWS = 100_000
_DESCRIPTION_BYTES = 1_000_000


@dataclass(frozen=True)
class _Row:
    """A subject with where it stands in the table, as people count: the header is row 1."""

    number: int
    subject: Subject


def read_cohort(path: Path, data: CohortDataConfig, control: JobControl) -> Cohort:
    """Read and check a cohort: a BIDS folder, or a table with one row for each visit of a subject.

    Raises DatasetError where there is no readable table; what is wrong with single subjects is a finding, with the
    row and how to mend it.
    """
    table_path = table_of(path)
    control.progress(0.0, "Reading the table")
    table = read_table(table_path, control, as_text=True)
    if len(table) > MOST_ROWS:
        raise DatasetError(f"more than {MOST_ROWS:,} rows, so it is no cohort of subjects", where=table_path)
    cells: dict[str, Cells] = {name: column.strings() for name, column in table.columns.items()}
    told = description_of(table_path)
    chosen, findings = choose(cells, data, told)
    if not chosen.subject:
        findings.append(
            Finding("no-subject", "error", "No column names the subjects: set data.columns.subject to one that does.")
        )
    features = [feature_of(name, cells.get(name, ()), told) for name in chosen.features]
    rows, more = _rows(cells, chosen, features, data, table_path)
    findings += more
    rows, more = _looked_at(rows, path, control.part(0.05, 0.95))
    findings += more
    simulated = is_simulated(table_path.parent)
    findings += checks.of_table([(row.number, row.subject) for row in rows], features, chosen.target)
    if simulated:
        findings.append(Finding("simulated", "info", "This cohort is simulated; it says nothing of patients."))
    order = {"error": 0, "warning": 1, "info": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    numbers = {feature.name for feature in features if not feature.words}
    columns = {name: "number" if name in numbers else "text" for name in cells}
    subjects = [row.subject for row in rows]
    return Cohort(path, subjects, features, chosen.target, simulated, tuple(findings), columns)


def table_of(path: Path) -> Path:
    """The table of a cohort: the file itself, or the participants.tsv or only table of a folder.

    Raises DatasetError where there is none.
    """
    if path.is_dir():
        if (path / PARTICIPANTS).is_file():
            return path / PARTICIPANTS
        tables = sorted(file for file in path.iterdir() if file.is_file() and is_table(file))
        tables = [file for file in tables if not file.name.lower().startswith("readme")]
        if len(tables) == 1:
            return tables[0]
        what = f"the folder holds {len(tables)} tables and no {PARTICIPANTS}" if tables else "no table is in the folder"
        raise DatasetError(what, where=path, mend="Choose the table itself: CSV, TSV, Excel or Parquet.")
    if not path.exists():
        raise DatasetError("there is no such file or folder", where=path, mend="Choose a BIDS folder or a table.")
    if not is_table(path):
        raise DatasetError("this is no table", where=path, mend="Choose a BIDS folder, CSV, TSV, Excel or Parquet.")
    return path


def is_simulated(folder: Path) -> bool:
    """Whether the data set's own description says that a program made it."""
    file = folder / "dataset_description.json"
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if file.stat().st_size <= _DESCRIPTION_BYTES:
            told = json.loads(file.read_text(encoding="utf-8"))
            return isinstance(told, dict) and told.get("simulated") is True
    return False


def _rows(
    cells: Mapping[str, Cells], chosen: Chosen, features: list[Feature], data: CohortDataConfig, table: Path
) -> tuple[list[_Row], list[Finding]]:
    """The subjects as the table has them, and what is no number in it."""
    count = len(next(iter(cells.values()), ()))
    nothing: Cells = [None] * count
    columns = {feature.name: cells.get(feature.name, nothing) for feature in features}
    clinical, findings = checks.numbers(columns, features, data.missing_codes, count)
    targets, more = checks.targets(cells.get(chosen.target, nothing), chosen.target, data)
    findings += more
    ids, visits = cells.get(chosen.subject, nothing), cells.get(chosen.visit, nothing)
    rows = []
    for i in range(count):
        name = ids[i]
        if name is None:
            if chosen.subject:
                findings.append(Finding("no-name", "error", f"Row {i + 2} names no subject; fill it in or delete it."))
            continue
        visit = visits[i] or ""
        facts = {fact: word for fact in chosen.facts if (word := cells[fact][i]) is not None}
        images: dict[str, Path | None] = {}
        for kind, column in (("mri", chosen.mri), ("pet", chosen.pet)):
            cell = cells[column][i] if column else None
            if column:
                images[kind] = None if cell is None else (table.parent / cell).absolute()
            else:
                images[kind], told = _in_bids(table.parent, name, visit, kind)
                findings += told
        subject = Subject(name, visit, images["mri"], images["pet"], clinical[i], targets[i], facts)
        rows.append(_Row(i + 2, subject))
    return rows, findings


def _in_bids(folder: Path, name: str, visit: str, kind: str) -> tuple[Path | None, list[Finding]]:
    """A subject's image in a BIDS folder: sub-NAME/[ses-VISIT/]anat/*_T1w or pet/*_pet."""
    home_of = folder / (name if name.startswith("sub-") else f"sub-{name}")
    place, ending = ("anat", "_T1w") if kind == "mri" else ("pet", "_pet")
    if Path(home_of.name) != Path(home_of.relative_to(folder)) or not os.path.isdir(home_of):
        return None, []
    if visit and os.path.isdir(session := home_of / (visit if visit.startswith("ses-") else f"ses-{visit}")):
        folders = [session / place]
    else:
        folders = [home_of / place, *sorted(home_of.glob(f"ses-*/{place}"))]
    for at in folders:
        if not at.is_dir():
            continue
        found = sorted(p for p in at.iterdir() if is_volume_name(p.name) and f"{ending}." in p.name)
        if len(found) > 1:
            what = f"{name} has {len(found)} images {ending[1:]} in {at.relative_to(folder)}; {found[0].name} is taken."
            return found[0], [Finding("several-images", "warning", what)]
        if found:
            return found[0], []
    return None, []


def _looked_at(rows: list[_Row], cohort: Path, control: JobControl) -> tuple[list[_Row], list[Finding]]:
    """The subjects with the contents of their images, and what is wrong with those."""
    cache = ImageCache(cohort)
    findings: list[Finding] = []
    seen: list[_Row] = []
    all_facts: list[dict[str, ImageFacts]] = []
    try:
        for number, row in enumerate(rows):
            control.progress(number / len(rows), f"Looking at subject {number + 1} of {len(rows)}")
            facts: dict[str, ImageFacts] = {}
            for kind in ("mri", "pet"):
                image = getattr(row.subject, kind)
                if image is None:
                    continue
                said = f"Row {row.number} ({row.subject.id}): the {kind.upper()}"
                if not os.path.exists(image):  # as Path.exists, but for names that no disk can hold
                    what = f"{said} {image} is not there; mend its path, or empty the cell."
                    findings.append(Finding("file-gone", "error", what))
                    continue
                try:
                    facts[kind] = cache.look(image, control.silent())
                except IsocenterError as error:
                    what = f"{said} cannot be used ({error.what}); replace it, or empty the cell."
                    findings.append(Finding("unreadable-image", "error", what))
            contents = {kind: found.content for kind, found in facts.items()}
            seen.append(_Row(row.number, replace(row.subject, contents=contents)))
            all_facts.append(facts)
    finally:  # a check that was stopped goes on from there
        cache.save()
    findings += checks.of_images([(row.number, row.subject.id, f) for row, f in zip(seen, all_facts, strict=True)])
    return seen, findings
