from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.catalog import Catalog
from core.cli import main
from core.control import JobControl
from core.errors import Cancelled, ConfigError, DatasetError, ModelError
from core.files import write_text
from core.inference.evaluate import evaluate
from core.inference.package import ModelPackage
from core.paths import runs_folder
from tests.core.inference.making import bright_box
from tests.core.making import write_nifti

Make = Callable[..., ModelPackage]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two cases: one that the network marks exactly, one whose truth is half of what it marks."""
    folder = tmp_path / "data"
    image, mask = bright_box()
    half = mask.copy()
    half[:, 7:] = False  # the box runs from 4 to 10
    for case, (seed, truth) in {"exact": (0, mask), "half": (1, half)}.items():
        noise = np.random.default_rng(seed).integers(0, 3, image.shape).astype(np.int16)
        write_nifti(folder / "images" / f"{case}.nii.gz", image + noise)
        write_nifti(folder / "labels" / f"{case}.nii.gz", truth.astype(np.uint8))
    return folder


def test_figures_are_those_of_the_masks(package: ModelPackage, data: Path):
    answer = evaluate("bright", data)
    rows = {row["case"]: row for row in answer["cases"]}
    assert rows["exact"]["dice"] == {"Bright": 1.0}
    assert rows["half"]["dice"]["Bright"] == pytest.approx(2 / 3)
    assert rows["half"]["jaccard"]["Bright"] == pytest.approx(1 / 2)
    assert rows["half"]["volume_error_ml"]["Bright"] == pytest.approx(0.075)
    assert answer["metrics"]["test/dice"] == pytest.approx(5 / 6)
    assert answer["metrics"]["test/dice/Bright"] == pytest.approx(5 / 6)
    assert answer["metrics"]["test/jaccard"] == pytest.approx(3 / 4)
    assert answer["model"] == "bright 1.0"
    assert rows["exact"]["hd95"] == {"Bright": 0.0} and rows["half"]["hd95"]["Bright"] > 0
    assert answer["metrics"]["test/n_missed"] == answer["metrics"]["test/n_false_alarms"] == 0
    low, high = answer["intervals"]["test/dice"]
    assert low == pytest.approx(2 / 3) and high == 1.0


def test_surfaces_within_the_tolerance_agree(package: ModelPackage, data: Path):
    strict, loose = (evaluate("bright", data, tolerance_mm=mm) for mm in (0.0, 3.0))
    assert strict["metrics"]["test/nsd"] < 1 and loose["metrics"]["test/nsd"] == 1
    assert loose["tolerance_mm"] == 3
    with pytest.raises(ConfigError, match="tolerance"):
        evaluate("bright", data, tolerance_mm=-1)


def test_ignored_voxels_count_nowhere(make_package: Make, data: Path):
    label = data / "labels" / "half.nii.gz"
    truth = np.asarray(nib.load(label).dataobj).copy()
    truth[:, 7:10][bright_box()[1][:, 7:10]] = 9  # what the network marks too much
    write_nifti(label, truth)
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 1, "name": "Bright"}]}
    make_package(plan={**plan, "ignore_label": 9})
    answer = evaluate("bright", data)
    assert answer["metrics"]["test/dice"] == 1 and answer["metrics"]["test/volume_error_ml"] == 0


def test_a_missed_structure_counts_as_zero(make_package: Make, data: Path):
    labels = [{"value": 1, "name": "Bright"}, {"value": 2, "name": "Never there"}]
    path = data / "labels" / "exact.nii.gz"
    truth = np.asarray(nib.load(path).dataobj).copy()
    truth[15:18, 15:18, 10:15] = 2
    write_nifti(path, truth)
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": labels[1:]}
    make_package(plan=plan)
    rows = {row["case"]: row["dice"]["Never there"] for row in evaluate("bright", data)["cases"]}
    assert rows == {"exact": 0.0, "half": 0.0}  # in "half" it is absent, but the network marks the box with it


def test_a_scan_that_the_model_refuses_is_a_miss_and_says_why(make_package: Make, data: Path):
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 1, "name": "Bright"}]}
    make_package(plan={**plan, "shape_range": [[90, 90, 90], [99, 99, 99]]})
    answer = evaluate("bright", data)
    assert answer["metrics"]["test/dice"] == 0
    assert all("too small" in row["error"] for row in answer["cases"])
    assert answer["metrics"]["test/n_missed"] == 2
    assert answer["metrics"]["test/hd95"] == pytest.approx(np.linalg.norm([19, 23, 17]))


def test_labels_the_model_does_not_know_are_refused(make_package: Make, data: Path):
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 9, "name": "Nine"}]}
    make_package(plan=plan)
    with pytest.raises(DatasetError, match="none of the structures"):
        evaluate("bright", data)


def test_a_model_has_no_recorded_split(package: ModelPackage, data: Path):
    with pytest.raises(ConfigError, match="recorded split"):
        evaluate("bright", data, split="test")


@pytest.fixture
def kept_out(make_package: Make, data: Path) -> ModelPackage:
    """A model of a run on `data` whose test part is the case "half"."""
    split = {"train": ["exact"], "val": [], "test": ["half"]}
    folder = runs_folder() / "own-run"
    folder.mkdir(parents=True)
    write_text(folder / "split.json", json.dumps(split))
    with Catalog() as catalog:
        catalog.add_run(
            id="own-run", name="own", task="segmentation", config="", data_path=str(data), folder=folder,
            epochs=1,
        )  # fmt: skip
    return make_package(training={"data": "made", "licence": "CC0", "dice": {}, "run": "own-run"})


def test_of_the_folder_it_was_trained_on_the_part_that_was_kept_out_is_measured(
    kept_out: ModelPackage, data: Path, capsys: pytest.CaptureFixture[str]
):
    answer = evaluate("bright", data)
    assert [row["case"] for row in answer["cases"]] == ["half"]
    assert answer["split"] == "test" and answer["trained_on"] == 0
    everything = evaluate("bright", data, split="all")
    assert len(everything["cases"]) == 2 and everything["split"] == "all" and everything["trained_on"] == 1
    assert main(["evaluate", "bright", str(data)]) == 0
    assert "only the part that was kept out is measured" in capsys.readouterr().err
    assert main(["evaluate", "bright", str(data), "--split", "all"]) == 0
    said = capsys.readouterr().err
    assert "kept out" not in said and "the figures flatter it" in said


def test_another_folder_of_the_same_scans_is_measured_whole(kept_out: ModelPackage, data: Path, tmp_path: Path):
    answer = evaluate("bright", shutil.copytree(data, tmp_path / "elsewhere"))
    assert len(answer["cases"]) == 2 and answer["split"] == "all"


def test_a_folder_that_has_changed_since_the_training_is_measured_whole(kept_out: ModelPackage, data: Path):
    for part in ("images", "labels"):
        shutil.copyfile(data / part / "half.nii.gz", data / part / "new.nii.gz")
    assert len(evaluate("bright", data)["cases"]) == 3


def test_an_unknown_name_is_a_missing_model(package: ModelPackage, data: Path):
    with pytest.raises(ModelError, match="no model named"):
        evaluate("nothing", data)


def test_evaluation_can_be_cancelled(package: ModelPackage, data: Path):
    control = JobControl()
    control.listener = lambda _fraction, message: control.cancel() if message.startswith("Evaluating") else None
    with pytest.raises(Cancelled):
        evaluate("bright", data, control)
