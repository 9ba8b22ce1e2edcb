"""A risk model measured on a cohort: its own run's split, or another centre's subjects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.control import JobControl
from core.data.cohort.subject import Cohort
from core.errors import ConfigError, DatasetError
from core.tasks.alzheimers.baselines import beside
from core.tasks.alzheimers.measuring import fullest, measured
from core.tasks.alzheimers.package import SIMULATED, RiskPackage
from core.tasks.alzheimers.plan import RiskPlan, fingerprint, load_split
from core.tasks.alzheimers.preparing import cache_folder, read_for
from core.tasks.alzheimers.publishing import answers_of

Array = np.ndarray[Any, Any]


def evaluate(
    package: RiskPackage, path: Path, *, split: str | None = None, control: JobControl | None = None
) -> dict[str, Any]:
    """The metrics of a package over the subjects of a cohort that have a score (`measuring.measured`).

    split: only this part of the cohort that the run was trained on, with "baselines" for val and test: what simple
    methods reach on the same subjects when they learn from the same ones (`baselines.beside`). Without it, of that
    cohort the subjects that were trained on are measured too, and counted as "trained_on".
    Raises ConfigError where that is another cohort, DatasetError where no subject has a score.
    """
    control = control or JobControl()
    plan = package.manifest.plan
    cohort = read_for(plan, path, control)
    scored = np.array([row for row, subject in enumerate(cohort.subjects) if subject.target is not None], np.int64)
    recorded: dict[str, Array] = {}
    if split is not None:
        recorded = _recorded(package)
        if fingerprint(cohort) != plan.cohort_sha256 or split not in recorded:
            raise ConfigError("the split is that of the cohort the model was trained on, and this is another one")
        scored = recorded[split]
    if not len(scored):
        raise DatasetError("no subject has a score to compare with", where=path)
    findings = [finding.as_dict() for finding in cohort.findings]
    if package.simulated:
        findings.append({"code": "simulated", "severity": "warning", "message": SIMULATED})
    subjects = [cohort.subjects[row] for row in scored]
    answers = answers_of(package, cohort, scored, control)
    found = measured(answers, subjects, plan.threshold, package.manifest.intervals, package.manifest.event, control)
    if split in ("val", "test"):
        found["baselines"] = _beside(answers, cohort, recorded, split, plan, control)
    return {
        "model": f"{package.name} {package.version}", **found,
        "trained_on": sum(plan.known(subjects)), "findings": findings,
        "simulated": {"model": package.simulated, "data": cohort.simulated},
    }  # fmt: skip


def _beside(
    answers: Sequence[Any], cohort: Cohort, recorded: dict[str, Array], split: str, plan: RiskPlan, control: JobControl
) -> list[dict[str, Any]]:
    """The simple methods on the same subjects; none where there are too few subjects to fit them on."""
    scores = np.array([fullest(one)[1].score for one in answers])[np.argsort(recorded[split])]
    try:
        return beside(
            scores, cohort, recorded, plan.grid, cache_folder(), part=split, threshold=plan.threshold, control=control
        )
    except DatasetError:
        return []


def _recorded(package: RiskPackage) -> dict[str, Array]:
    """The split of the package's run; none where the run is not here."""
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == package.manifest.training.run), None)
    return load_split(run.folder) if run is not None and run.folder.is_dir() else {}
