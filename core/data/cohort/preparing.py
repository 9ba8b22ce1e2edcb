"""A whole cohort of raw scans brought to template space, as a BIDS folder that is a cohort itself."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import __version__
from core.control import JobControl
from core.data.cohort.columns import choose, description_of
from core.data.cohort.images import in_template_space
from core.data.cohort.read import read_cohort, table_of
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Cohort, Subject
from core.data.tables.read import read_table
from core.errors import DatasetError, IsocenterError
from core.files import replacing, write_text
from core.imaging.preparation.prepare import Prepared, prepare
from core.imaging.reader import read
from core.imaging.volume import Finding

# Wrong with single subjects, whose rows say so; and what preparing itself puts right, or has nothing to do with.
OF_ONE_SUBJECT = ("file-gone", "unreadable-image", "not-aligned", "score-not-number", "score-outside")
OF_TRAINING = ("raw-images", "not-aligned", "no-score", "few-subjects", "score-not-number", "score-outside", "leak")
STEPS = "steps"  # the folder of what each image went through
SPACE = "space-MNI152NLin2009aSym_desc-brain"


@dataclass(frozen=True)
class Row:
    """What became of one subject: "prepared", or "failed" with the reason; `steps`: the pictures, from the folder."""

    subject: str
    visit: str
    state: str
    message: str
    seconds: float
    steps: tuple[dict[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "subject": self.subject, "visit": self.visit, "state": self.state, "message": self.message,
            "seconds": self.seconds, "steps": list(self.steps),
        }  # fmt: skip


def prepare_cohort(
    path: Path, out: Path, data: CohortDataConfig, control: JobControl | None = None
) -> tuple[list[Row], list[Finding]]:
    """Prepare every subject's images into `out`; what is already there is kept, so a stopped one goes on.

    A subject that cannot be prepared stays in the table without that image. Returns the subjects, and what the check
    found. Raises DatasetError where the cohort cannot be read, or its rows do not say whose image is which;
    IsocenterError where the folder cannot be written or is the cohort's own.
    """
    control = control or JobControl()
    cohort = read_cohort(path, data, control.part(0.0, 0.05))
    unclear = [one.message for one in cohort.findings if one.severity == "error" and one.code not in OF_ONE_SUBJECT]
    if unclear or not cohort.subjects:
        raise DatasetError(" ".join(unclear) or "there is no subject to prepare", where=path)
    source = table_of(path)
    if out.absolute() == source.parent.absolute():
        raise IsocenterError("the result would mix with the cohort", where=out, mend="Give another folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IsocenterError(f"the folder cannot be made ({error.strerror})", where=out) from error
    rows = []
    for number, subject in enumerate(cohort.subjects):
        share = 0.05 + 0.95 * number / len(cohort)
        part = control.part(share, 0.05 + 0.95 * (number + 1) / len(cohort))
        rows.append(_subject(subject, out, part.naming(f"Subject {number + 1} of {len(cohort)}", share)))
    _write_table(source, out, cohort, data, control)
    return rows, [one for one in cohort.findings if one.code not in OF_TRAINING]


def _subject(subject: Subject, out: Path, control: JobControl) -> Row:
    found, message = _prepared(subject, out, control)
    if found is None:
        return Row(subject.id, subject.visit, "failed", message, 0.0, ())
    folder = out / bids_name(subject.id)
    stem = bids_name(subject.id)
    if subject.visit:
        folder, stem = folder / f"ses-{_plain(subject.visit)}", f"{stem}_ses-{_plain(subject.visit)}"
    for image, kind, suffix in ((found.mri, "anat", "T1w"), (found.pet, "pet", "pet")):
        if image is not None:
            _share(image, folder / kind / f"{stem}_{SPACE}_{suffix}.nii.gz")
    steps = tuple(
        {
            "title": step.title, "picture": str(step.picture.relative_to(out)),
            "over": "" if step.over is None else str(step.over.relative_to(out)),
        }
        for step in found.steps
    )  # fmt: skip
    seconds = round(sum(float(facts.get("seconds", 0)) for facts in found.facts.values()), 1)
    return Row(subject.id, subject.visit, "failed" if message else "prepared", message, seconds, steps)


def _prepared(subject: Subject, out: Path, control: JobControl) -> tuple[Prepared | None, str]:
    """What was prepared, and what went wrong: where a pair cannot be prepared, the MRI alone is."""
    try:
        there = [image for image in (subject.mri, subject.pet) if image is not None]
        if there and all(in_template_space(read(image, control.silent())) for image in there):
            return Prepared(out, subject.mri, subject.pet), ""
        return prepare(subject.mri, subject.pet, out / STEPS, control), ""
    except IsocenterError as error:
        message = str(error)
    if subject.mri is None or subject.pet is None:
        return None, message
    try:
        return prepare(subject.mri, None, out / STEPS, control), f"without the PET: {message}"
    except IsocenterError as error:
        return None, str(error)


def bids_name(name: str) -> str:
    """A subject's name as BIDS writes it.

    >>> bids_name("sub-01"), bids_name("002_S_0413")
    ('sub-01', 'sub-002S0413')
    """
    return f"sub-{_plain(name.removeprefix('sub-'))}"


def _plain(word: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", word.removeprefix("ses-")) or "x"


def _share(image: Path, target: Path) -> None:
    """The same file under another name, as a link where the disk has such, else as a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.stat().st_size == image.stat().st_size:
        return
    target.unlink(missing_ok=True)
    try:
        os.link(image, target)
    except OSError:
        with replacing(target) as part:
            shutil.copyfile(image, part)


def _write_table(source: Path, out: Path, cohort: Cohort, data: CohortDataConfig, control: JobControl) -> None:
    """participants.tsv with the cohort's own columns but those of paths, its description, and what the folder is."""
    table = read_table(source, control, as_text=True)
    cells = {name: column.strings() for name, column in table.columns.items()}
    told = description_of(source)
    chosen, _ = choose(cells, data, told)
    kept = [name for name in cells if name not in (chosen.subject, chosen.visit, chosen.mri, chosen.pet)]
    head = ["participant_id", *(["session_id"] if chosen.visit else []), *kept]
    lines = ["\t".join(head)]
    for row, name in enumerate(cells[chosen.subject]):
        if name is None:
            continue
        visit = cells[chosen.visit][row] if chosen.visit else None
        own = [bids_name(name)] + ([f"ses-{_plain(visit)}" if visit else "n/a"] if chosen.visit else [])
        values = (cells[column][row] for column in kept)
        lines.append("\t".join([*own, *("n/a" if v is None else re.sub(r"\s", " ", v) for v in values)]))
    write_text(out / "participants.tsv", "\n".join(lines) + "\n")
    if told:
        write_text(out / "participants.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    facts = {
        "Name": f"{cohort.path.name}, prepared", "BIDSVersion": "1.9.0", "DatasetType": "derivative",
        "simulated": cohort.simulated,
        "GeneratedBy": [{"Name": "isocenter prepare", "Version": __version__}],
    }  # fmt: skip
    write_text(out / "dataset_description.json", json.dumps(facts, indent=1) + "\n")
