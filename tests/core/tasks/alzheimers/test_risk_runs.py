"""A cohort is trained on, published, predicted from and measured; what is missing or wrong is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from core import cli, config
from core.catalog import Catalog
from core.control import JobControl
from core.errors import DatasetError, IsocenterError, ModelError, UnsuitableScan
from core.inference.kinds import find_model, read_model
from core.tasks.alzheimers.kind import RiskModels
from core.tasks.alzheimers.plan import load_plan, load_split
from core.tasks.alzheimers.preparing import prepare
from core.training.launch import execute, prepare_run
from tests.core.tasks.alzheimers.conftest import TINY, Trained

KIND = RiskModels()


def values_of(cohort: Path, row: int) -> dict[str, float]:
    """A subject's clinical values as a clinic might write them."""
    head, *lines = (cohort / "participants.tsv").read_text().splitlines()
    cells = dict(zip(head.split("\t"), lines[row].split("\t"), strict=True))
    words = ("participant_id", "scanner", "risk_score", "sex")
    return {name: float(cell) for name, cell in cells.items() if name not in words and cell != "n/a"}


def with_both(cohort: Path) -> tuple[int, Path, Path]:
    """A subject with both images: its row, MRI and PET."""
    for row, folder in enumerate(sorted(cohort.glob("sub-*"))):
        mri, pet = list(folder.glob("anat/*")), list(folder.glob("pet/*"))
        if mri and pet:
            return row, mri[0], pet[0]
    raise AssertionError("no subject has both")


def test_a_run_records_metrics_of_whole_splits_in_every_epoch(trained: Trained) -> None:
    assert trained.run.state == "finished"
    with Catalog() as catalog:
        points = catalog.metrics(trained.run.id)
    for part, epochs in (("train", 4), ("val", 4), ("test", 1)):
        for name in ("mse", "mae", "r2", "pearson", "auroc"):
            assert len([p for p in points if p.key == f"{part}/{name}"]) == epochs, f"{part}/{name}"


def test_the_rate_is_the_same_throughout_an_epoch_and_falls_with_each(trained: Trained) -> None:
    with Catalog() as catalog:
        points = catalog.metrics(trained.run.id, key="lr")
    by_epoch = [[p.value for p in points if p.epoch == epoch] for epoch in range(4)]
    # The last step's is recorded when the next epoch's is set already.
    assert all(len(set(values[:-1])) == 1 for values in by_epoch)
    assert [values[0] for values in by_epoch] == sorted({values[0] for values in by_epoch}, reverse=True)
    assert by_epoch[0][0] == pytest.approx(3e-3)


def test_values_are_scaled_by_the_training_subjects_alone(trained: Trained, cohort_folder: Path) -> None:
    plan, split = load_plan(trained.run.folder), load_split(trained.run.folder)
    ages = np.array([values_of(cohort_folder, row)["age"] for row in split["train"]])
    age = next(value for value in plan.values if value.name == "age")
    assert (age.mean, age.scale) == (pytest.approx(ages.mean()), pytest.approx(ages.std()))
    assert len(plan.values) == 118
    assert not set(split["train"]) & set(split["test"]) | set(split["train"]) & set(split["val"])


def test_a_package_says_that_it_was_trained_on_simulated_data_everywhere(trained: Trained) -> None:
    package = find_model("tiny")
    assert package.simulated
    assert "simulated" in package.summary
    assert "simulated data" in package.card
    assert package.manifest.training.by_part["mri"]["subjects"] > 0
    assert "trained_on" not in package.as_dict()["plan"]
    assert "sub-0001" not in (package.folder / "model.yaml").read_text()


@pytest.mark.parametrize("parts", ["mri", "pet", "clinical", "mri+pet", "mri+clinical", "pet+clinical",
                                   "mri+pet+clinical"])  # fmt: skip
def test_any_part_of_a_subject_is_enough_for_a_score(
    trained: Trained, cohort_folder: Path, tmp_path: Path, parts: str
) -> None:
    row, mri, pet = with_both(cohort_folder)
    clinical = tmp_path / "someone.json"
    clinical.write_text(json.dumps(values_of(cohort_folder, row)))
    files = {"mri": mri, "pet": pet, "clinical": clinical}
    options = {name: files[name] for name in parts.split("+")}
    found = KIND.predict(trained.package, [], tmp_path / "out", options)
    one = found["predictions"][0]
    low, high = one["interval"]
    assert 0 <= low < one["score"] < high <= 1
    assert one["parts"] == parts
    assert one["simulated"] is True
    codes = {finding["code"] for finding in one["findings"]}
    assert "simulated" in codes
    assert ("missing" in codes) == (parts != "mri+pet+clinical")
    assert json.loads(Path(one["output"]).read_text())["predictions"][0]["score"] == one["score"]


def test_fewer_parts_widen_the_interval(trained: Trained) -> None:
    widths = trained.package.manifest.training.by_part
    assert widths["mri"]["interval_width"] >= 0.999 * widths["mri+pet+clinical"]["interval_width"]


def test_the_command_line_predicts_measures_and_explains(
    trained: Trained, cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, mri, pet = with_both(cohort_folder)
    out = tmp_path / "out"
    asked = ["predict", "--model", "tiny", "--out", str(out), "--mri", str(mri), "--pet", str(pet), "--explain"]
    assert cli.main([*asked, "--json"]) == 0
    one = json.loads(capsys.readouterr().out)["predictions"][0]
    explained = one["explanation"]
    assert set(explained["maps"]) == {"mri", "pet"}
    import nibabel as nib

    for kind, scan in (("mri", mri), ("pet", pet)):
        image, of = nib.load(explained["maps"][kind]), nib.load(scan)
        assert image.shape == of.shape
        assert np.allclose(image.affine, of.affine, atol=1e-4)
        assert np.abs(image.get_fdata()).max() > 0
    assert cli.main(["evaluate", "tiny", str(cohort_folder), "--split", "test", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) >= {f"test/{name}" for name in ("mse", "mae", "r2", "pearson", "auroc", "coverage")}
    assert len(result["cases"]) == len(load_split(trained.run.folder)["test"])
    assert result["trained_on"] == 0
    assert {group["by"] for group in result["subgroups"]} >= {"sex", "scanner", "parts"}
    assert {"predicted", "observed", "slope"} <= set(result["calibration"])
    assert result["curves"]["decision"]["thresholds"]
    assert set(result["intervals"]) >= {"test/pearson", "test/auroc"}


def test_a_cohort_is_predicted_row_by_row(trained: Trained, cohort_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "few" / "participants.tsv"
    table.parent.mkdir()
    head, *lines = (cohort_folder / "participants.tsv").read_text().splitlines()
    table.write_text("\n".join([head, *lines[:3]]) + "\n")
    found = KIND.predict(trained.package, [table], tmp_path / "out", {})
    assert [one["subject"] for one in found["predictions"]] == ["sub-0001", "sub-0002", "sub-0003"]
    assert len(found["outputs"]) == 1


def test_the_subjects_that_were_trained_on_are_known_again(trained: Trained, cohort_folder: Path) -> None:
    result = KIND.evaluate(trained.package, cohort_folder)
    assert result["trained_on"] == len(load_split(trained.run.folder)["train"])


def test_a_run_and_its_package_answer_alike(trained: Trained, cohort_folder: Path) -> None:
    run = KIND.evaluate(trained.run, cohort_folder, split="test")
    package = KIND.evaluate(trained.package, cohort_folder, split="test")
    assert run["metrics"] == package["metrics"]
    with Catalog() as catalog:
        point = next(p for p in catalog.metrics(trained.run.id) if p.key == "test/pearson")
    assert run["metrics"]["test/pearson"] == pytest.approx(point.value, abs=1e-4)


def test_a_predicted_value_far_from_all_training_is_told(trained: Trained, cohort_folder: Path, tmp_path: Path) -> None:
    clinical = tmp_path / "someone.json"
    clinical.write_text(json.dumps({**values_of(cohort_folder, 0), "height": 17000, "shoe_size": 43}))
    found = KIND.predict(trained.package, [clinical], tmp_path / "out", {})
    told = {f["code"]: f["message"] for f in found["findings"]}
    assert "height" in told["out-of-range"]
    assert "height" in told["unusual-value"]
    assert "shoe_size" in told["unknown-value"]


def test_one_row_that_names_nobody_is_one_person_with_words_and_commas(
    trained: Trained, cohort_folder: Path, tmp_path: Path
) -> None:
    values = values_of(cohort_folder, 0)
    table = tmp_path / "visit of monday.csv"
    table.write_text("age;sex;height;glucose\n" + f"{values['age']};m;67,5;95\n".replace(".", ","))
    found = KIND.predict(trained.package, [table], tmp_path / "out", {"explain": True})
    prediction = found["predictions"][0]
    assert prediction["subject"] == "visit of monday"
    given = {one["name"]: one["value"] for one in prediction["explanation"]["clinical"]}
    sexes = next(value.words for value in trained.package.manifest.plan.values if value.name == "sex")
    assert given == {"age": values["age"], "sex": float(sexes.index("M")), "height": 67.5, "glucose": 95.0}
    told = " ".join(finding["message"] for finding in found["findings"])
    assert "inches" in told and "of glucose" in told  # by the model's own ranges, as the table tells none
    assert len(prediction["missing"]) == 114


def test_words_are_the_same_in_whatever_order_a_table_numbers_them(trained: Trained, tmp_path: Path) -> None:
    scores = []
    for order in ('{"F": "", "M": ""}', '{"M": "", "F": ""}'):
        folder = tmp_path / order[2]
        folder.mkdir()
        (folder / "one.tsv").write_text("participant_id\tage\tsex\na\t70\tM\n")
        (folder / "one.json").write_text(f'{{"sex": {{"Levels": {order}}}}}')
        scores.append(
            KIND.predict(trained.package, [folder / "one.tsv"], folder / "out", {})["predictions"][0]["score"]
        )
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1, 2", "not readable"),
        ("3", "a table of names and numbers"),
        ('{"mri": "gone.nii.gz"}', "not there"),
        ("{}", "neither an image nor a clinical value"),
    ],
)
def test_a_file_that_names_nobody_is_refused_in_words(
    trained: Trained, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "someone.json"
    file.write_text(content)
    with pytest.raises(DatasetError, match=says):
        KIND.predict(trained.package, [file], tmp_path / "out", {})


def test_two_images_that_cannot_be_told_apart_are_refused(trained: Trained, tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(IsocenterError, match="not clear"):
        KIND.predict(trained.package, [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"], tmp_path / "out", {})


def test_swapped_images_are_refused_in_words(trained: Trained, cohort_folder: Path, tmp_path: Path) -> None:
    _, mri, pet = with_both(cohort_folder)
    with pytest.raises(UnsuitableScan, match=r"swapped in sub-.*Swap the paths"):
        KIND.predict(trained.package, [], tmp_path / "out", {"mri": pet, "pet": mri})


def test_a_subject_of_the_training_is_known_by_its_image(trained: Trained, cohort_folder: Path, tmp_path: Path) -> None:
    from core.data.cohort.images import content_of
    from core.imaging.reader import read
    from core.tasks.alzheimers.plan import hashed

    images = sorted(cohort_folder.glob("sub-*/anat/*.nii.gz"))
    known = set(trained.package.manifest.plan.trained_on["contents"])
    for is_known in (True, False):
        image = next(image for image in images if (hashed(content_of(read(image))) in known) == is_known)
        found = KIND.predict(trained.package, [], tmp_path / "out", {"mri": image})
        assert ("trained-on" in {finding["code"] for finding in found["findings"]}) == is_known


def test_damaged_norms_are_refused(trained: Trained, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained.package.folder, copy)
    (copy / "norms.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(ModelError, match="sha256"):
        read_model(copy).load()


def test_a_changed_cohort_is_not_gone_on_with(cohort_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(cohort_folder, copy)
    run_id = prepare_run(config.load("alzheimers", [f"data.path={copy}", *TINY, "trainer.epochs=1"]))
    table = copy / "participants.tsv"
    table.write_text(table.read_text().replace("sub-0001\t", "sub-9001\t"))
    with pytest.raises(DatasetError, match="changed"):
        execute(run_id)


def test_a_cohort_without_scores_cannot_be_learned_from(cohort_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "participants.tsv"
    head, *lines = (cohort_folder / "participants.tsv").read_text().splitlines()
    table.write_text("\n".join([head, *(line.rpartition("\t")[0] + "\tn/a" for line in lines)]) + "\n")
    with pytest.raises(DatasetError, match="0 subjects have a score"):
        prepare(config.load("alzheimers", [f"data.path={table}", *TINY]), JobControl())
