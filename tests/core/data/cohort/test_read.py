"""Cohorts: read from every kind of table, and everything that is wrong found at once, each with how to mend it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from core.control import JobControl
from core.data.cohort import images
from core.data.cohort.read import read_cohort
from core.data.cohort.settings import CohortColumns, CohortDataConfig
from core.data.cohort.subject import Cohort
from core.errors import Cancelled, DatasetError
from core.imaging.mni import Grid, tissues

DATA = CohortDataConfig()
SMALL = Grid((31, 40, 31), (6.0, 6.0, 6.0))


def read(path: Path, data: CohortDataConfig = DATA) -> Cohort:
    return read_cohort(path, data, JobControl())


def codes(cohort: Cohort) -> dict[str, str]:
    return {finding.code: finding.message for finding in cohort.findings}


def image(path: Path, kind: str, *, seed: int = 0, shift_mm: float = 0.0) -> Path:
    """A small head in template space, in which white (mri) or grey matter (pet) is the brighter one."""
    known = tissues(SMALL)
    bright, dim = (known.white, known.grey) if kind == "mri" else (known.grey, known.white)
    values = 100 * bright + 60 * dim + np.random.default_rng(seed).normal(0, 1, SMALL.shape) * (known.brain > 0.5)
    affine = SMALL.affine_ras.copy()
    affine[0, 3] += shift_mm
    made = nib.Nifti1Image(values.astype(np.float32), affine)
    made.set_sform(affine, 4)
    made.set_qform(affine, 4)
    nib.save(made, path)
    return path


def table(folder: Path, **columns: list[object]) -> Path:
    path = folder / "cohort.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_a_bids_folder_is_read_with_its_images_values_ranges_and_that_it_is_simulated(simulated: Path) -> None:
    cohort = read(simulated)
    assert cohort.usable
    assert cohort.simulated
    assert (len(cohort), len(cohort.features), cohort.target_name) == (6, 118, "risk_score")
    age, sex = cohort.features[:2]
    assert (age.name, age.unit, age.low, age.high, age.group) == ("age", "years", 50, 100, "Demographics")
    assert sex.words == ("F", "M")
    first = cohort.subjects[0]
    assert set(first.facts) == {"age", "sex", "scanner"}
    assert 0 <= first.target <= 1  # type: ignore[operator]
    assert set(first.contents) == {kind for kind in ("mri", "pet") if getattr(first, kind) is not None}
    assert np.isnan(cohort.clinical).any()
    assert codes(cohort)["simulated"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_the_same_table_says_the_same_in_every_format(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"ptid": ["a", "b"], "Age": [70.5, None], "sex": ["F", "M"], "score": [0.25, 0.75]})
    path = tmp_path / f"table{suffix}"
    write = {".csv": frame.to_csv, ".xlsx": frame.to_excel, ".parquet": frame.to_parquet}.get(suffix)
    if write is None:
        frame.to_csv(path, sep="\t", index=False)
    else:
        write(path, index=False)  # type: ignore[operator]
    cohort = read(path)
    assert [subject.id for subject in cohort.subjects] == ["a", "b"]
    assert np.array_equal(cohort.clinical, np.array([[70.5, 0], [np.nan, 1]], np.float32), equal_nan=True)
    assert cohort.targets.tolist() == [0.25, 0.75]


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    image(tmp_path / "a_mri.nii.gz", "mri")
    image(tmp_path / "a_pet.nii.gz", "pet")
    image(tmp_path / "b_mri.nii.gz", "mri", seed=1)
    image(tmp_path / "b_pet.nii.gz", "pet", seed=1, shift_mm=60)
    path = table(
        tmp_path,
        subject=["a", "b", "c", "c", "d"],
        mri=["a_pet.nii.gz", "b_mri.nii.gz", "gone.nii.gz", None, "b_mri.nii.gz"],
        pet=["a_mri.nii.gz", "b_pet.nii.gz", None, None, None],
        tau=["<8", "21", "about 30", "22", "23"],
        age=["70", "71", "720", "69", "68"],
        risk=["0.1", "1.7", "0.3", "high", "0.2"],
    )  # fmt: skip
    (tmp_path / "cohort.json").write_text(json.dumps({"age": {"Units": "years", "Minimum": 50, "Maximum": 100}}))
    cohort = read(path)
    found = codes(cohort)
    assert not cohort.usable
    assert "row 2 (a)" in found["swapped-modalities"]
    assert "row 3 (b, 60 mm)" in found["not-aligned"]
    assert "Row 4 (c)" in found["file-gone"]
    assert "gone.nii.gz" in found["file-gone"]
    assert "rows 4, 5" in found["duplicate-subject"]
    assert "row 2 '<8', row 4 'about 30'" in found["text-for-number"]
    assert "row 4: 720" in found["out-of-range"]
    assert "row 3 1.7" in found["score-outside"]
    assert "row 5 'high'" in found["score-not-number"]
    assert "row 3 MRI and row 6 MRI" in found["image-of-several"]
    severities = [finding.severity for finding in cohort.findings]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def test_an_image_is_known_again_whatever_its_file_is_packed_like(tmp_path: Path) -> None:
    first = image(tmp_path / "a.nii.gz", "mri")
    nib.save(nib.load(first), tmp_path / "b.nii")
    cohort = read(table(tmp_path, subject=["a", "b"], mri=["a.nii.gz", "b.nii"], score=[0.1, 0.2]))
    a, b = (subject.contents["mri"] for subject in cohort.subjects)
    assert a == b
    assert "image-of-several" in codes(cohort)


def test_a_changed_image_is_read_again_and_an_unchanged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "a.nii", "mri")
    path = table(tmp_path, subject=["a"], mri=["a.nii"], score=[0.1])
    before = read(path).subjects[0].contents["mri"]
    monkeypatch.setattr("core.data.cohort.images.read", lambda *_: pytest.fail("read twice"))
    assert read(path).subjects[0].contents["mri"] == before
    monkeypatch.undo()


def test_another_unit_is_named_rather_than_each_value(tmp_path: Path) -> None:
    path = table(tmp_path, subject=list("abcd"), glucose=[90, 105, 120, 99], score=[0.1, 0.2, 0.3, 0.4])
    described = {"glucose": {"Units": "mmol/L", "Minimum": 3.3, "Maximum": 18}}
    (tmp_path / "cohort.json").write_text(json.dumps(described))
    found = codes(read(path))
    assert "of glucose" in found["other-unit"]
    assert "out-of-range" not in found
    # Of a cohort of two centres, one of which writes the other unit.
    few = [5.2, 6.1, 4.8, 7.0, 5.5, 6.6, 90, 105, 120, 99, 101]
    path = table(tmp_path, subject=list("abcdefghijk"), glucose=few, score=[0.1] * 11)
    assert "5 values lie outside" in codes(read(path))["other-unit"]


def test_visits_of_a_subject_are_rows_of_one_person(tmp_path: Path) -> None:
    path = table(tmp_path, subject=["a", "a", "b"], visit=["1", "2", "1"], age=[70, 71, 72], score=[0.1, 0.2, 0.3])
    cohort = read(path)
    assert [(s.id, s.visit) for s in cohort.subjects] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert codes(cohort)["several-visits"].startswith("1 subject has")


@pytest.mark.parametrize(
    ("scale", "written", "risk"), [("mmse", [30, 0, 24], [0, 1, 0.2]), ("cdr_sb", [0, 18, 4.5], [0, 1, 0.25])]
)
def test_a_clinical_scale_becomes_a_risk_and_is_not_learned_from(
    tmp_path: Path, scale: str, written: list[float], risk: list[float]
) -> None:
    path = table(tmp_path, subject=list("abc"), age=[70, 71, 72], **{scale: written})
    cohort = read(path, CohortDataConfig.model_validate({"target_scale": scale}))
    assert np.allclose(cohort.targets, risk)
    assert [feature.name for feature in cohort.features] == ["age"]


def test_missing_codes_are_missing(tmp_path: Path) -> None:
    path = table(tmp_path, subject=list("abc"), age=[70, -4, 72], score=[0.5, 0.6, -4])
    cohort = read(path, CohortDataConfig(missing_codes=[-4]))
    assert np.isnan(cohort.clinical[:, 0]).tolist() == [False, True, False]
    assert cohort.subjects[2].target is None
    assert "score-outside" not in codes(cohort)


def test_columns_are_chosen_by_name_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    path = table(tmp_path, who=["a", "b"], y=[0.1, 0.2], age=[70, 71], tau=[20, 21])
    chosen = CohortDataConfig(columns=CohortColumns(subject="who", target="y"), features=["tau", "weight"])
    cohort = read(path, chosen)
    assert [feature.name for feature in cohort.features] == ["tau", "weight"]
    assert np.isnan(cohort.clinical[:, 1]).all()
    assert "weight" in codes(cohort)["no-such-value"]
    nothing = read(path)
    assert "data.columns.subject" in codes(nothing)["no-subject"]
    assert not nothing.usable


def test_a_value_that_was_made_from_the_score_is_told(tmp_path: Path) -> None:
    score = np.linspace(0, 1, 30)
    path = table(
        tmp_path, subject=[f"s{i}" for i in range(30)], stage=list(10 * score + 3), score=list(score),
        age=list(np.random.default_rng(0).normal(70, 5, 30)),
    )  # fmt: skip
    found = codes(read(path))
    assert found["leak"].startswith("stage ")


def test_a_number_of_each_row_is_no_clinical_value(tmp_path: Path) -> None:
    path = table(
        tmp_path, subject=[f"s{i}" for i in range(25)], record=list(range(1, 26)), age=[70 + i % 9 for i in range(25)]
    )
    assert [feature.name for feature in read(path).features] == ["age"]


def test_a_subject_cannot_lead_out_of_the_folder(tmp_path: Path, simulated: Path) -> None:
    (tmp_path / "bids" / "inner").mkdir(parents=True)
    shutil.copytree(simulated / "sub-0001", tmp_path / "bids" / "sub-x")
    (tmp_path / "bids" / "inner" / "participants.tsv").write_text("participant_id\tscore\nsub-/../../sub-x\t0.5\n")
    assert read(tmp_path / "bids" / "inner").subjects[0].mri is None


@pytest.mark.parametrize("what", ["nothing", "empty", "text"])
def test_what_is_no_cohort_is_refused_with_what_to_choose(tmp_path: Path, what: str) -> None:
    path = tmp_path / "c.csv"
    if what == "empty":
        path.write_text("")
    elif what == "text":
        path = tmp_path / "c.pdf"
        path.write_text("%PDF")
    with pytest.raises(DatasetError) as raised:
        read(path)
    assert raised.value.mend


def test_names_that_no_disk_can_hold_are_gone_files(tmp_path: Path) -> None:
    path = table(tmp_path, subject=["a", "b"], mri=["x" * 5000, "../" * 500 + "y"], score=[0.1, 0.2])
    assert [f.code for f in read(path).findings if f.severity == "error"] == ["file-gone", "file-gone"]
    (tmp_path / "bids").mkdir()
    (tmp_path / "bids" / "participants.tsv").write_text(f"participant_id\tscore\n{'z' * 400}\t0.5\n")
    assert read(tmp_path / "bids").subjects[0].mri is None


@pytest.mark.parametrize(
    "told", ["[]", "{", '{"age": 3}', '{"age": {"Units": [1], "Minimum": "x", "Maximum": true, "Levels": ["a"]}}']
)
def test_a_damaged_description_is_no_description(tmp_path: Path, told: str) -> None:
    path = table(tmp_path, subject=["a", "b"], age=[70, 71], score=[0.1, 0.2])
    (tmp_path / "cohort.json").write_text(told)
    cohort = read(path)
    assert [feature.name for feature in cohort.features] == ["age"]
    assert not cohort.features[0].has_range


def test_a_check_that_was_stopped_goes_on_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        image(tmp_path / f"{name}.nii", "mri", seed=ord(name))
    path = table(tmp_path, subject=list("abc"), mri=["a.nii", "b.nii", "c.nii"], score=[0.1, 0.2, 0.3])
    control = JobControl()
    control.listener = lambda _, message: control.cancel() if "subject 3" in message else None
    with pytest.raises(Cancelled):
        read_cohort(path, DATA, control)
    again = []
    plain = images.read
    monkeypatch.setattr(images, "read", lambda scan, *rest: again.append(scan.name) or plain(scan, *rest))
    assert read(path).usable
    assert again == ["c.nii"]


def test_a_pet_with_bright_white_matter_is_doubted_and_not_refused(tmp_path: Path) -> None:
    """As a PET of amyloid shows a healthy brain."""
    image(tmp_path / "mri.nii", "mri")
    image(tmp_path / "pet.nii", "mri", seed=1)
    cohort = read(table(tmp_path, subject=["a"], mri=["mri.nii"], pet=["pet.nii"], score=[0.1]))
    assert cohort.usable
    assert "row 2 (a)" in codes(cohort)["maybe-swapped"]
