from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.catalog import Catalog
from core.catalog.evaluations import evaluation, evaluations, from_trash, to_trash
from core.errors import CatalogError, IsocenterError
from core.imaging.reader import read
from core.inference import kept_predictions
from core.inference.disagreement import worst_place
from core.inference.evaluate import evaluate
from core.inference.package import ModelPackage
from core.inference.report import case_picture, write_report
from core.paths import runs_folder
from tests.core.inference.making import bright_box
from tests.core.making import write_nifti


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One case that the network marks exactly, one whose truth is half of what it marks."""
    folder = tmp_path / "data"
    image, mask = bright_box()
    half = mask.copy()
    half[:, 7:] = False
    for number, (case, truth) in enumerate({"exact": mask, "half": half}.items()):
        write_nifti(folder / "images" / f"{case}.nii.gz", image + np.int16(number))
        write_nifti(folder / "labels" / f"{case}.nii.gz", truth.astype(np.uint8))
    return folder


def test_an_evaluation_is_kept_with_the_files_of_its_cases(package: ModelPackage, data: Path):
    answer = evaluate("bright", data)
    with Catalog() as catalog:
        row = evaluation(catalog, answer["id"])
    assert row.model == "bright 1.0" and row.data == data and row.result["metrics"] == answer["metrics"]
    files = row.files["half"]
    assert files.image == data / "images" / "half.nii.gz"
    marked = np.asarray(read(files.prediction).voxels)
    assert np.array_equal(marked > 0, bright_box()[1])


def test_what_was_not_changed_is_not_predicted_again(
    package: ModelPackage, data: Path, monkeypatch: pytest.MonkeyPatch
):
    predicted: list[str] = []
    real = kept_predictions.segment

    def counted(volume, *args, **more):
        predicted.append(volume.name)
        return real(volume, *args, **more)

    monkeypatch.setattr(kept_predictions, "segment", counted)
    first = evaluate("bright", data)
    image = data / "images" / "half.nii.gz"
    write_nifti(image, bright_box()[0] + np.int16(7))
    again = evaluate("bright", data)
    assert predicted == ["exact", "half", "half"]
    assert again["metrics"] == first["metrics"]
    evaluate("bright", data, fresh=True)
    assert len(predicted) == 5


def test_a_damaged_kept_prediction_is_made_anew(package: ModelPackage, data: Path):
    first = evaluate("bright", data)
    with Catalog() as catalog:
        path = evaluation(catalog, first["id"]).files["exact"].prediction
    assert path is not None
    path.write_bytes(b"torn")
    assert evaluate("bright", data)["metrics"] == first["metrics"]


def test_removing_an_evaluation_leaves_what_another_one_shows(package: ModelPackage, data: Path):
    first, second = evaluate("bright", data), evaluate("bright", data)
    with Catalog() as catalog:
        paths = [files.prediction for files in evaluation(catalog, first["id"]).files.values()]
        to_trash(catalog, first["id"])
        assert all(path is not None and path.is_file() for path in paths)
        to_trash(catalog, second["id"])
        assert not any(path is not None and path.exists() for path in paths)
        assert evaluations(catalog) == []
        with pytest.raises(CatalogError, match="no evaluation"):
            evaluation(catalog, first["id"])


def test_a_deleted_evaluation_comes_back_with_its_predictions(package: ModelPackage, data: Path):
    first = evaluate("bright", data)
    with Catalog() as catalog:
        before = evaluation(catalog, first["id"])
        name = to_trash(catalog, before.id)
        assert evaluations(catalog) == []
        assert from_trash(catalog, name) == before.id
        assert evaluations(catalog) == [before]
        assert all(f.prediction is not None and f.prediction.is_file() for f in before.files.values())
        with pytest.raises(CatalogError, match="not in the trash"):
            from_trash(catalog, name)


def test_an_evaluation_comes_back_though_its_cases_were_predicted_again(package: ModelPackage, data: Path):
    first = evaluate("bright", data)
    with Catalog() as catalog:
        name = to_trash(catalog, first["id"])
    second = evaluate("bright", data)  # takes the id that became free
    with Catalog() as catalog:
        id = from_trash(catalog, name)
        assert {row.id for row in evaluations(catalog)} == {id, second["id"]} and id != second["id"]
        assert all(f.prediction.is_file() for f in evaluation(catalog, id).files.values() if f.prediction)


def test_cases_that_a_model_was_trained_on_are_counted(make_package: Callable[..., ModelPackage], data: Path):
    make_package(training={"data": "made", "run": "run-1"})
    (runs_folder() / "run-1").mkdir(parents=True)
    (runs_folder() / "run-1" / "split.json").write_text(json.dumps({"train": ["exact"], "val": [], "test": ["half"]}))
    assert evaluate("bright", data)["trained_on"] == 1
    test_part = evaluate("bright", data, split="test")
    assert [row["case"] for row in test_part["cases"]] == ["half"] and test_part["trained_on"] == 0


def test_a_report_stands_by_itself_with_the_worst_case_first(package: ModelPackage, data: Path, tmp_path: Path):
    answer = evaluate("bright", data)
    page = write_report(answer["id"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("half</b>") < page.index("exact</b>")
    assert page.count("data:image/png;base64,") == 2 and "http" not in page
    assert "research" in page.lower() and "95 % interval" in page
    assert write_report(answer["id"], tmp_path).name == f"evaluation-{answer['id']}.html"
    with pytest.raises(IsocenterError, match="HTML"):
        write_report(answer["id"], tmp_path / "report.pdf")


def test_a_report_is_written_though_a_scan_is_gone(package: ModelPackage, data: Path, tmp_path: Path):
    answer = evaluate("bright", data)
    (data / "images" / "half.nii.gz").unlink()
    page = write_report(answer["id"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1 and "half" in page


def test_the_picture_shows_truth_and_prediction_apart(package: ModelPackage, data: Path):
    answer = evaluate("bright", data)
    with Catalog() as catalog:
        picture = case_picture(evaluation(catalog, answer["id"]).files["half"])
    assert picture is not None
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert {(64, 224, 208), (255, 140, 0)} <= colours


def test_the_worst_place_is_where_truth_and_prediction_differ():
    truth, found = np.zeros((9, 9, 9), np.uint8), np.zeros((9, 9, 9), np.uint8)
    assert worst_place(truth, found) is None
    truth[2:4, 3:6, 5] = 1
    truth[8, 8, 8] = 1
    place = worst_place(truth, found)
    assert place is not None and place[2] == 5 and truth[place] != found[place]
