"""A simulated cohort for Alzheimer's-risk regression: MRI, PET and clinical values with a known true score.

A subject has a true score in 0..1. What is seen of it is different in each source: the MRI, the PET and the clinic each
see the score with an error of their own, so each alone is imperfect, and together they tell more. Everything comes
from the seed; the same seed, size and settings give the same files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core import __version__
from core.control import JobControl
from core.errors import IsocenterError
from core.files import write_text
from core.imaging.mni import Grid
from core.imaging.volume import Source, Volume
from core.imaging.writer import write_volume
from core.side_by_side import side_by_side
from core.simulation import clinical
from core.simulation.heads import SCANNERS, Disease, Scanner, lesions, make_head

Array = np.ndarray[Any, Any]
Size = Literal["development", "full"]

GRIDS: dict[Size, Grid] = {"development": Grid((46, 60, 46), (4.0, 4.0, 4.0)), "full": Grid()}
MOST_SUBJECTS = 9_999
TARGET = "risk_score"
IMAGE_ERROR, CLINIC_ERROR = 0.12, 0.16  # in scores: what the MRI and the PET, each, and the clinic see wrongly
_MNI_CODE = 4

README = """\
A simulated cohort: {subjects} subjects that a program made (Isocenter {version}, seed {seed}). Nobody was examined.
The pictures are deformed copies of the ICBM 152 template, in its space, {size} size; the clinical values are random
numbers in plausible ranges. {target} is the true score. truth/ holds where the disease was put in, and how much each
source shows of it. {shuffled}For testing methods only; what is learned here says nothing of people. Research use only.
"""


@dataclass(frozen=True)
class Recipe:
    """What is simulated.

    missing: share of subjects without a PET, and a fifth of it without an MRI. effect: 1 as usual, 0 for a disease that
    nothing shows. shuffle_targets: scores dealt out anew, so that nothing can be learned.
    """

    subjects: int = 200
    seed: int = 0
    size: Size = "development"
    missing: float = 0.2
    effect: float = 1.0
    shuffle_targets: bool = False


@dataclass(frozen=True, eq=False)
class _Person:
    """What is drawn of a subject before the pictures are made."""

    id: str
    score: float
    mri: float
    pet: float
    clinic: float
    scanner: Scanner
    values: Array
    has_mri: bool
    has_pet: bool


def simulate(out: Path, recipe: Recipe, control: JobControl | None = None) -> dict[str, Any]:
    """Write a cohort as a BIDS folder and return what was made.

    Raises IsocenterError where the folder holds something already, cannot be written, or the recipe is impossible.
    """
    control = control or JobControl()
    _refuse(out, recipe)
    try:
        (out / "truth").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IsocenterError(f"the folder cannot be made ({error.strerror})", where=out) from error
    grid = GRIDS[recipe.size]
    control.progress(0.0, "Reading the template")
    _write_truth(out, grid, control)
    people = list(
        side_by_side(
            lambda number, silent: _subject(out, grid, recipe, number, silent),
            range(recipe.subjects), control, "Simulating subject {} of {}",
        )
    )  # fmt: skip
    scores = np.array([person.score for person in people])
    if recipe.shuffle_targets:
        scores = np.random.default_rng((recipe.seed, 1)).permutation(scores)
    _write_tables(out, recipe, people, scores)
    return {
        "output": str(out), "simulated": True, "subjects": len(people), "seed": recipe.seed, "size": recipe.size,
        "mri": sum(p.has_mri for p in people), "pet": sum(p.has_pet for p in people),
        "clinical_values": len(clinical.clinical_values()), "target": TARGET, "missing": recipe.missing,
        "effect": recipe.effect, "shuffled_targets": recipe.shuffle_targets,
    }  # fmt: skip


def _refuse(out: Path, recipe: Recipe) -> None:
    if not 1 <= recipe.subjects <= MOST_SUBJECTS:
        raise IsocenterError(f"{recipe.subjects} subjects cannot be simulated", mend=f"Choose 1 to {MOST_SUBJECTS:,}.")
    if not 0 <= recipe.missing <= 0.9 or not 0 <= recipe.effect <= 2:
        raise IsocenterError("the settings are out of range", mend="Choose missing in 0..0.9 and effect in 0..2.")
    if recipe.seed < 0:
        raise IsocenterError("a seed is a whole number of at least 0", mend="Choose another seed.")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise IsocenterError("the folder holds something already", where=out, mend="Give a new or empty folder.")


def _subject(out: Path, grid: Grid, recipe: Recipe, number: int, control: JobControl) -> _Person:
    """Draw one subject and write its pictures. A subject depends on the seed and its number alone."""
    rng = np.random.default_rng((recipe.seed, 0, number))
    person = _draw(recipe, number, rng)
    # What the pictures show of the disease; a little less than nothing is a brain younger than its years.
    ill = Disease(recipe.effect * person.mri, recipe.effect * person.pet, _age(person))
    t1, pet = make_head(grid, ill, person.scanner, rng)
    for there, values, kind, suffix in ((person.has_mri, t1, "anat", "T1w"), (person.has_pet, pet, "pet", "pet")):
        if there:
            folder = out / person.id / kind
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / f"{person.id}_{suffix}.nii.gz", values, grid, control)
    return person


def _draw(recipe: Recipe, number: int, rng: np.random.Generator) -> _Person:
    score = float(rng.beta(0.6, 0.6))
    mri, pet = (float(np.clip(score + IMAGE_ERROR * e, -0.25, 1.25)) for e in rng.standard_normal(2))
    clinic = score + CLINIC_ERROR * float(rng.standard_normal())
    values = clinical.draw((clinic - 0.5) / 0.37, rng, recipe.effect)
    scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
    chance = float(rng.random())
    has_pet, has_mri = chance >= recipe.missing, chance < 1 - recipe.missing / 5
    values = clinical.forget(values, rng, recipe.missing)
    return _Person(f"sub-{number + 1:04d}", score, mri, pet, clinic, scanner, values, has_mri, has_pet)


def _age(person: _Person) -> float:
    """In standard deviations."""
    for value, number in zip(clinical.clinical_values(), person.values, strict=True):
        if value.name == "age":
            return float((number - value.mean) / value.sd)
    raise AssertionError("age is one of the clinical values")


def _write(path: Path, values: Array, grid: Grid, control: JobControl) -> None:
    """As int16 with a slope, as scanners do: a quarter of the size of float64."""
    slope = max(float(values.max()), 1e-6) / 32_000
    voxels = np.rint(values / slope).astype(np.int16)
    source = Source(path, "NIfTI-1", form_codes=(_MNI_CODE, _MNI_CODE))
    volume = Volume(voxels, grid.affine_ras, source, slope=slope)
    write_volume(path, volume, description="Isocenter simulation", control=control)


def _write_truth(out: Path, grid: Grid, control: JobControl) -> None:
    maps = lesions(grid)
    source = Source(out, "NIfTI-1", form_codes=(_MNI_CODE, _MNI_CODE))
    for name, values in (("atrophy", maps.atrophy), ("hypometabolism", maps.hypometabolism)):
        volume = Volume(values, grid.affine_ras, source)
        write_volume(out / "truth" / f"{name}.nii.gz", volume, description="Isocenter simulation", control=control)


def _write_tables(out: Path, recipe: Recipe, people: list[_Person], scores: Array) -> None:
    names = [value.name for value in clinical.clinical_values()]
    rows = [["participant_id", *names, "scanner", TARGET]]
    rows += [
        [person.id, *clinical.written(person.values), person.scanner.name, f"{score:.4f}"]
        for person, score in zip(people, scores, strict=True)
    ]
    write_text(out / "participants.tsv", _tsv(rows))
    told = clinical.described() | {
        "scanner": {"Description": "scanner", "Levels": {s.name: f"simulated scanner {s.name}" for s in SCANNERS}},
        TARGET: {"Description": "the true score", "Minimum": 0, "Maximum": 1},
    }
    write_text(out / "participants.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    facts = {
        "Name": "Simulated cohort for Alzheimer's-risk regression", "BIDSVersion": "1.9.0", "DatasetType": "raw",
        "License": "the template's own, see README", "simulated": True, "Seed": recipe.seed, "Effect": recipe.effect,
        "Missing": recipe.missing, "ShuffledTargets": recipe.shuffle_targets,
        "GeneratedBy": [{"Name": "isocenter simulate alzheimers", "Version": __version__}],
    }  # fmt: skip
    write_text(out / "dataset_description.json", json.dumps(facts, indent=1) + "\n")
    shuffled = "The scores were dealt out anew, so nothing can be learned. " if recipe.shuffle_targets else ""
    readme = README.format(
        subjects=len(people), version=__version__, seed=recipe.seed, size=recipe.size, target=TARGET, shuffled=shuffled
    )
    write_text(out / "README", readme)
    truth = [["participant_id", "score", "mri", "pet", "clinic"]]
    truth += [[p.id, *(f"{v:.4f}" for v in (p.score, p.mri, p.pet, p.clinic))] for p in people]
    write_text(out / "truth" / "scores.tsv", _tsv(truth))


def _tsv(rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)
