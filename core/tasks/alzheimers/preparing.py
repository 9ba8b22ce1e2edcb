"""What a risk run is made of before it is trained: the cohort checked, its subjects split, its values scaled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from core.control import JobControl
from core.data.cohort.read import read_cohort
from core.data.cohort.split import split_subjects
from core.data.cohort.subject import Cohort
from core.errors import ConfigError, DatasetError
from core.paths import home
from core.tasks.alzheimers.plan import PLAN, SPLIT, RiskPlan, plan_of
from core.tasks.alzheimers.starting import begin_text
from core.training.given import Preparation

FEWEST_SUBJECTS = 10


def checked(experiment: Any, control: JobControl) -> Cohort:
    """The cohort of an experiment with its findings. Raises ConfigError where none is chosen, or DatasetError."""
    if experiment.data.path is None:
        raise ConfigError(
            "no cohort is chosen", mend="Set data.path to a BIDS folder or a table with one row a subject."
        )
    return read_cohort(experiment.data.path.expanduser().absolute(), experiment.data, control)


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the cohort, split it, and fix its plan. Raises ConfigError or DatasetError where that cannot be."""
    cohort = checked(experiment, control)
    errors = [finding.message for finding in cohort.findings if finding.severity == "error"]
    if not cohort.usable:
        warnings = sum(finding.severity == "warning" for finding in cohort.findings)
        more = f" `isocenter check` lists this and {warnings} more to look at." if warnings else ""
        raise DatasetError(
            " ".join(errors[:20]) or "there is no subject", where=cohort.path,
            mend=f"Mend the table, or leave rows out.{more}",
        )  # fmt: skip
    scored = sum(subject.target is not None for subject in cohort.subjects)
    if scored < FEWEST_SUBJECTS:
        what = f"{scored} subjects have a score; at least {FEWEST_SUBJECTS} are needed"
        raise DatasetError(what, where=cohort.path)
    control.progress(None, "Splitting the subjects")
    data = experiment.data
    split = split_subjects(cohort, data.val_fraction, data.test_fraction, experiment.seed)
    plan = plan_of(cohort, split["train"], experiment)
    begun, found, said = begin_text(experiment, cohort, split["test"], control)
    parts = ", ".join(f"{len(rows):,} {part}" for part, rows in split.items() if len(rows))
    remarks = [f"{cohort.summary()}; {parts}."]
    if cohort.simulated:
        remarks.append("This cohort is simulated: what comes of it says nothing about patients.")
    for departure in experiment.task.check(experiment):
        remarks.append(f"Departs from the requirements: {departure.text}")
    return Preparation(
        experiment=experiment, data_path=cohort.path, layout="cohort", cases=scored,
        findings=[*cohort.findings, *found],
        files={
            PLAN: yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            SPLIT: json.dumps({part: rows.tolist() for part, rows in split.items()}),
            **begun,
        },
        remarks=[*remarks, *said],
    )  # fmt: skip


def read_for(plan: RiskPlan, path: Path, control: JobControl) -> Cohort:
    """A cohort read for a model; of another centre's table, whose columns have other names, by the usual ones.

    Raises DatasetError.
    """
    path = path.expanduser().absolute()
    cohort = read_cohort(path, plan.reading(), control)
    if any(finding.code == "no-such-column" and finding.severity == "error" for finding in cohort.findings):
        cohort = read_cohort(path, plan.reading(own_columns=False), control)
    return cohort


def cache_folder() -> Path:
    """Where volumes that were brought to a model's grid are kept."""
    return home() / "cache" / "volumes"
