"""What a run on stays is made of before it is trained: the stays checked and split, their coding fixed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.control import JobControl
from core.data.stays.clean import check
from core.data.stays.coding import StayCoding, choose_variables, fit_coding
from core.data.stays.outcomes import Outcomes, outcome_files, read_outcomes
from core.data.stays.read import chosen, read_stays
from core.data.stays.series import Stays
from core.errors import ConfigError, DatasetError
from core.imaging.volume import Finding
from core.kept import kept_lists, kept_part
from core.training.given import Preparation

Array = np.ndarray[Any, Any]
CODING, SPLIT = "coding.yaml", "split.json"
FEWEST = 20
SPARSE = 0.9  # of the stays without a variable: from here on it is told


@dataclass(frozen=True)
class CheckedStays:
    """Stays with what the check found."""

    path: Path
    stays: Stays
    variables: list[str]
    outcomes: Outcomes
    findings: Sequence[Finding]

    @property
    def usable(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def summary(self) -> str:
        sources = len(set(self.stays.sources))
        parts = f" of {sources} parts" if sources > 1 else ""
        return (
            f"{len(self.stays):,} stays{parts}, {len(self.stays.value):,} measurements, {len(self.variables)} variables"
        )


def place(data: Any) -> Path:
    """Where the stays are. Raises ConfigError where nothing is chosen."""
    if data.path is None:
        raise ConfigError("no stays are chosen", mend="Set data.path to a folder, an archive or a table of stays.")
    path: Path = data.path.expanduser().absolute()
    return path


def outcomes_of(data: Any, path: Path) -> Outcomes:
    """The outcomes that the settings name, or those that lie beside the stays; none where there are none."""
    if data.outcomes is None:
        return read_outcomes(outcome_files(path))
    named = data.outcomes.expanduser().absolute()
    if not named.exists():
        raise DatasetError("there is no such table of outcomes", where=named)
    return read_outcomes(outcome_files(named) if named.is_dir() else [named])


def checked(experiment: Any, control: JobControl) -> CheckedStays:
    """The stays of a pretraining with what is wrong. Raises ConfigError or DatasetError where there are none."""
    data = experiment.data
    path = place(data)
    stays = chosen(read_stays(path, control), data.parts)
    variables = choose_variables(stays, data.variables, data.most_variables, [])
    findings = [*stays.findings, *check(stays, variables), *sparse(stays, variables)]
    if len(stays) < FEWEST:
        what = f"There are {len(stays)} stays; at least {FEWEST} are needed."
        findings.append(Finding("few-stays", "error", what))
    return CheckedStays(path, stays, variables, outcomes_of(data, path), findings)


def sparse(stays: Stays, variables: list[str]) -> list[Finding]:
    """Variables that hardly any stay has."""
    names = np.array([variables.index(n) if n in variables else -1 for n in stays.variables] or [-1], np.int64)
    mine = names[stays.variable]
    pairs = np.unique(stays.stay[mine >= 0].astype(np.int64) * len(variables) + mine[mine >= 0])
    having = np.bincount(pairs % len(variables), minlength=len(variables)) / len(stays)
    rare = [name for name, share in zip(variables, having, strict=True) if share < 1 - SPARSE]
    if not rare:
        return []
    return [Finding("rare-variables", "info", f"Fewer than one stay in ten has {', '.join(rare[:8])}.")]


def require(found: CheckedStays) -> None:
    """Raises DatasetError where the check found an error."""
    errors = [finding.message for finding in found.findings if finding.severity == "error"]
    if errors:
        raise DatasetError(" ".join(errors), where=found.path, mend="Mend the data, or choose another.")


def coding_of(data: Any, stays: Stays, variables: list[str]) -> StayCoding:
    """The coding of training stays by the settings."""
    return fit_coding(
        stays, variables, data.statics, step_hours=data.step_hours, max_hours=data.max_hours, clip=data.clip
    )


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the stays, split them and fit the coding. Raises ConfigError or DatasetError."""
    found = checked(experiment, control)
    require(found)
    control.progress(None, "Splitting the stays")
    data = experiment.data
    # A stay without measurements teaches nothing here.
    order = np.flatnonzero(found.stays.counts() > 0)
    order = np.random.default_rng(experiment.seed).permutation(order)
    n_test, n_val = round(len(order) * data.test_fraction), max(round(len(order) * data.val_fraction), 1)
    parts = {"test": order[:n_test], "val": order[n_test : n_test + n_val], "train": order[n_test + n_val :]}
    if not len(parts["train"]):
        raise ConfigError("data.val_fraction and data.test_fraction leave nothing to train on")
    split = {part: sorted(names(found.stays, rows)) for part, rows in parts.items()}
    coding = coding_of(data, found.stays.take(np.sort(parts["train"])), found.variables)
    return Preparation(
        experiment=experiment, data_path=found.path, layout="stays", cases=len(found.stays), findings=found.findings,
        files={CODING: coding_text(coding), SPLIT: json.dumps(split)},
        remarks=[
            f"{found.summary()}: {', '.join(f'{len(ids):,} {part}' for part, ids in split.items() if ids)}.",
            f"A grid of {coding.steps} steps of {coding.step_hours:g} h, {len(coding.statics)} facts of the patient.",
        ],
    )  # fmt: skip


def names(stays: Stays, rows: Array) -> list[str]:
    """What stays are called in a split: their part of the data and their name."""
    return [f"{stays.sources[row]}/{stays.ids[row]}" for row in rows]


def rows_of(stays: Stays, wanted: Sequence[str], where: Path) -> Array:
    """The numbers of named stays. Raises DatasetError where some are gone."""
    place = {name: row for row, name in enumerate(names(stays, np.arange(len(stays))))}
    gone = [name for name in wanted if name not in place]
    if gone:
        raise DatasetError(f"{len(gone):,} stays of the run are gone, such as {gone[0]}", where=where)
    return np.array([place[name] for name in wanted], np.int64)


def coding_text(coding: StayCoding) -> str:
    return yaml.safe_dump(coding.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=200)


def load_coding(folder: Path) -> StayCoding:
    """The coding in a run's folder."""
    return kept_part(folder / CODING, StayCoding)


def load_split(folder: Path) -> dict[str, list[str]]:
    """The names of the stays of a run's parts: train, val, test."""
    return kept_lists(folder / SPLIT)
