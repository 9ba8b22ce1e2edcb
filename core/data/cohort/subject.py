"""A cohort in memory: its subjects, and what is known of each clinical value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.imaging.mni import Grid as Grid
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Feature:
    """One clinical value. low, high: the plausible range in `unit`, NaN where it is not known."""

    name: str
    unit: str = ""
    low: float = float("nan")
    high: float = float("nan")
    group: str = ""
    words: tuple[str, ...] = ()  # where the file has words: the word at place n was read as n

    @property
    def has_range(self) -> bool:
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


@dataclass(frozen=True, eq=False)
class Subject:
    """One row of a cohort: a subject at one visit.

    clinical: (features,) float32 in the file's units, NaN where missing. target: 0..1, None where it is not known.
    facts: words by which results are told apart, such as age, sex, scanner.
    contents: sha256 of the voxels of the images that are there, by "mri" and "pet".
    """

    id: str
    visit: str
    mri: Path | None
    pet: Path | None
    clinical: Array
    target: float | None
    facts: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cohort:
    """A checked cohort. simulated: whether its data set says that it was made by a program.

    columns: what each column of the table holds, by name, for those that choose among them.
    """

    path: Path
    subjects: Sequence[Subject]
    features: Sequence[Feature]
    target_name: str
    simulated: bool = False
    findings: Sequence[Finding] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.subjects)

    def described(self) -> list[tuple[str, str]]:
        """What a person wants to know of the cohort, as pairs of name and text."""
        people = len({subject.id for subject in self.subjects})
        images = {word: sum(getattr(s, word) is not None for s in self.subjects) for word in ("mri", "pet")}
        rows = [("Subjects", f"{people:,}" + (" · simulated" if self.simulated else "")), ("Visits", f"{len(self):,}")]
        rows.append(("Images", ", ".join(f"{count:,} {word.upper()}" for word, count in images.items())))
        rows.append(("Values", f"{len(self.features)} clinical"))
        known = self.targets[np.isfinite(self.targets)]
        if len(known):
            rows.append((self.target_name or "Score", f"{known.min():.2f} to {known.max():.2f}, {len(known):,} known"))
        return rows

    @property
    def usable(self) -> bool:
        return bool(self.subjects) and not any(finding.severity == "error" for finding in self.findings)

    @property
    def clinical(self) -> Array:
        """(subjects, features) float32, NaN where missing."""
        if not self.subjects:
            return np.empty((0, len(self.features)), np.float32)
        return np.stack([subject.clinical for subject in self.subjects])

    @property
    def targets(self) -> Array:
        """(subjects,) float32 in 0..1, NaN where not known."""
        known = (float("nan") if subject.target is None else subject.target for subject in self.subjects)
        return np.fromiter(known, np.float32, len(self.subjects))

    def summary(self) -> str:
        """One line for the form and the log."""
        people = len({subject.id for subject in self.subjects})
        rows = f" in {len(self):,} rows" if people != len(self) else ""
        mri = sum(subject.mri is not None for subject in self.subjects)
        pet = sum(subject.pet is not None for subject in self.subjects)
        made = "simulated, " if self.simulated else ""
        return f"{made}{people:,} subjects{rows}: {mri:,} MRI, {pet:,} PET, {len(self.features)} clinical values"
