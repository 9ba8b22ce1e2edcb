"""Simulated cohorts: from the seed alone, with the disease where it was put, and nothing where nothing was put."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.cli import main
from core.control import JobControl
from core.errors import Cancelled, IsocenterError
from core.imaging.mni import Grid, tissues
from core.side_by_side import MOST
from core.simulation.alzheimers import GRIDS, Recipe, simulate
from core.simulation.clinical import clinical_values
from core.simulation.heads import SCANNERS, Disease, lesions, make_head

GRID = GRIDS["development"]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t"))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        simulate(tmp_path / name, Recipe(subjects=2, seed=seed, missing=0.0))
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 4 + 4 + 3  # pictures, tables and texts, the truth
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    image = "sub-0001/anat/sub-0001_T1w.nii.gz"
    assert (tmp_path / "a" / image).read_bytes() != (tmp_path / "c" / image).read_bytes()


def test_a_subject_is_the_same_in_a_larger_cohort(tmp_path: Path) -> None:
    simulate(tmp_path / "few", Recipe(subjects=1, seed=9))
    simulate(tmp_path / "more", Recipe(subjects=2, seed=9))
    assert rows_of(tmp_path / "few" / "participants.tsv")[0] == rows_of(tmp_path / "more" / "participants.tsv")[0]


def test_every_clinical_value_is_written_with_its_range_and_lies_in_it(tmp_path: Path) -> None:
    simulate(tmp_path / "c", Recipe(subjects=3, seed=1))
    told = json.loads((tmp_path / "c" / "participants.json").read_text(encoding="utf-8"))
    rows = rows_of(tmp_path / "c" / "participants.tsv")
    values = clinical_values()
    assert len(values) == len({value.name for value in values}) == 118
    for value in values:
        assert told[value.name]["Group"] == value.group
        for row in rows:
            if value.name == "sex":
                assert row["sex"] in told["sex"]["Levels"]
            elif row[value.name] != "n/a":
                assert told[value.name]["Minimum"] <= float(row[value.name]) <= told[value.name]["Maximum"]
    assert json.loads((tmp_path / "c" / "dataset_description.json").read_text(encoding="utf-8"))["simulated"] is True


def test_the_disease_shows_where_the_truth_says(tmp_path: Path) -> None:
    maps = lesions(GRID)
    well, ill = (make_head(GRID, Disease(s, s, 0.0), SCANNERS[0], np.random.default_rng(3)) for s in (0.0, 1.0))
    grey = tissues(GRID).grey > 0.4
    for picture, weights in ((0, maps.atrophy), (1, maps.hypometabolism)):
        fall = 1 - ill[picture][grey] / np.maximum(well[picture][grey], 1)
        assert fall[weights[grey] > 0.5].mean() > 0.12
        assert abs(fall[weights[grey] < 0.02].mean()) < 0.05
    reference = tissues(GRID).reference
    assert ill[1][reference].mean() == pytest.approx(well[1][reference].mean(), rel=0.02)


def test_the_ventricles_grow_with_the_disease() -> None:
    x, y, z = GRID.places_mm()
    beside = tissues(GRID).inside & (abs(x) < 26) & (y > -20) & (y < 20) & (z > 8) & (z < 26)
    dark = []
    for severity in (0.0, 0.5, 1.0):
        t1, _ = make_head(GRID, Disease(severity, 0.0, 0.0), SCANNERS[0], np.random.default_rng(5))
        dark.append(int((t1[beside] < 0.5 * np.percentile(t1[t1 > 0], 90)).sum()))
    assert dark[0] < dark[1] < dark[2]


def test_left_and_right_of_the_truth_are_alike_and_the_heads_are_not() -> None:
    weights = lesions(GRID).atrophy
    assert np.abs(weights - weights[::-1]).max() < 0.02
    t1, _ = make_head(GRID, Disease(0.0, 0.0, 0.0), SCANNERS[0], np.random.default_rng(3))
    assert np.abs(t1 - t1[::-1]).mean() > 0.02 * t1.mean()


def test_without_effect_nothing_is_put_in() -> None:
    pictures = [
        make_head(GRID, Disease(0.0 * s, 0.0 * s, 0.0), SCANNERS[1], np.random.default_rng(3))[0] for s in (0.1, 0.9)
    ]
    assert np.array_equal(*pictures)


def test_shuffled_targets_are_the_same_scores_dealt_out_anew(tmp_path: Path) -> None:
    for name, shuffle in (("true", False), ("shuffled", True)):
        simulate(tmp_path / name, Recipe(subjects=8, seed=2, shuffle_targets=shuffle))
    true, shuffled = (
        [row["risk_score"] for row in rows_of(tmp_path / n / "participants.tsv")] for n in ("true", "shuffled")
    )
    assert true != shuffled
    assert sorted(true) == sorted(shuffled)
    assert [row["score"] for row in rows_of(tmp_path / "shuffled" / "truth" / "scores.tsv")] == true


def test_pictures_lie_in_template_space_on_the_declared_grid(tmp_path: Path) -> None:
    simulate(tmp_path / "c", Recipe(subjects=1, seed=0, missing=0.0))
    image = nib.load(tmp_path / "c" / "sub-0001" / "pet" / "sub-0001_pet.nii.gz")
    assert image.shape == GRID.shape
    assert image.get_sform(coded=True)[1] == 4
    assert np.allclose(image.affine, GRID.affine_ras)


def test_missing_parts_are_missing_and_never_both_pictures(tmp_path: Path) -> None:
    made = simulate(tmp_path / "c", Recipe(subjects=12, seed=3, missing=0.6))
    assert made["pet"] < 12
    for row in rows_of(tmp_path / "c" / "participants.tsv"):
        assert list((tmp_path / "c" / row["participant_id"]).rglob("*.nii.gz"))
        assert row["age"] != "n/a"
    assert "n/a" in (tmp_path / "c" / "participants.tsv").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", [Recipe(subjects=0), Recipe(missing=2.0), Recipe(effect=-1.0), Recipe(seed=-1)])
def test_an_impossible_recipe_is_refused_before_anything_is_written(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(IsocenterError):
        simulate(tmp_path / "c", recipe)
    assert not (tmp_path / "c").exists()


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert main(["simulate", "alzheimers", str(tmp_path), "--subjects", "1"]) == 2
    assert "holds something already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["simulate", "alzheimers", str(tmp_path / "c"), "--subjects", "2", "--seed", "7", "--json"]
    assert main(argv) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["subjects"], made["seed"], made["simulated"], made["clinical_values"]) == (2, 7, True, 118)


def test_a_cancel_ends_it(tmp_path: Path) -> None:
    control = JobControl()

    def listen(fraction: float | None, message: str) -> None:
        if "subject 2" in message:
            control.cancel()

    control.listener = listen
    with pytest.raises(Cancelled):
        simulate(tmp_path / "c", Recipe(subjects=50, seed=0), control)
    assert len(list((tmp_path / "c").glob("sub-*"))) <= 2 + 2 * MOST


def test_the_grid_is_centred_and_its_axes_point_right_front_up() -> None:
    grid = Grid((24, 32, 24), (6.5, 6.5, 6.5))
    middle = grid.affine_ras @ [*((np.array(grid.shape) - 1) / 2), 1]
    assert np.allclose(middle[:3], (0, -17, 5))
    assert (np.diag(grid.affine_ras)[:3] > 0).all()
    known = tissues(Grid())
    assert known.brain.sum() * 8 / 1000 == pytest.approx(1886, abs=5)  # millilitres of the template's brain
    x, y, z = (np.broadcast_to(place, known.grid.shape)[known.reference] for place in known.grid.places_mm())
    assert y.max() < -40
    assert z.max() < -20
    assert abs(float(x.mean())) < 1
