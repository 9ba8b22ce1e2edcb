"""The report of a risk prediction: it says what was answered and from what, and nothing that its page does not show."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core import RESEARCH_ONLY, cli
from core.control import JobControl
from core.errors import IsocenterError, ModelError
from core.export import pages
from core.tasks.alzheimers.kind import RiskModels
from core.tasks.alzheimers.package import SIMULATED
from core.tasks.alzheimers.picturing import FAINTEST, coloured
from core.tasks.alzheimers.report import made_pages
from core.tasks.alzheimers.scoring import density
from core.tasks.alzheimers.slices import sliced
from tests.core.tasks.alzheimers.conftest import Trained
from tests.core.tasks.alzheimers.test_risk_runs import values_of, with_both

KIND = RiskModels()


@pytest.mark.parametrize("name", ["report", "scoring", "slices", "plan"])
def test_doctests(name: str) -> None:
    module = importlib.import_module(f"core.tasks.alzheimers.{name}")
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


@pytest.fixture
def asked(trained: Trained, cohort_folder: Path, tmp_path: Path) -> dict[str, Any]:
    """The options of a prediction from everything, with a name in it that only the screen should show."""
    row, mri, pet = with_both(cohort_folder)
    clinical = tmp_path / "Secretfolder" / "subject.json"
    clinical.parent.mkdir()
    values = values_of(cohort_folder, row)
    clinical.write_text(json.dumps({"id": "P-17", **dict(list(values.items())[:60]), "height": 17000}))
    return {"mri": mri, "pet": pet, "clinical": clinical}


def words_of(prediction: dict[str, Any], trained: Trained) -> list[str]:
    with pages.style():
        made = made_pages(prediction, trained.package, JobControl())
        pages.as_png(made[0])  # it can be drawn
    return [word for page in made for word in page.words]


def test_the_report_says_who_what_and_from_what(trained: Trained, asked: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.pdf"
    found = KIND.predict(trained.package, [], tmp_path / "out", {**asked, "report": target})
    prediction = found["predictions"][0]
    assert str(target) in found["outputs"]
    said = words_of(prediction, trained)
    together = " ".join(said)
    for word in (
        "P-17", asked["mri"].name, asked["pet"].name, f"{prediction['score']:.2f}", SIMULATED, RESEARCH_ONLY,
        prediction["predicted_at"][:10], "tiny: tiny 1.0", "height", "17000 cm", "simulated (",
        f"{len(prediction['missing'])} clinical values:", "outside of the plausible", "per cm³",
    ):  # fmt: skip
        assert word in together, word
    low, high = prediction["interval"]
    assert f"from {low:.2f} to {high:.2f} is made to hold the true score of 90 %" in together
    assert "of the 28 subjects trained on" in together
    assert said.count(SIMULATED) == 2  # on both pages
    # Each written value is one of the plan's, with its own contribution.
    first = prediction["explanation"]["clinical"][0]
    assert first["name"].replace("_", " ") in said and pages.signed(first["contribution"]) in said


def test_the_file_holds_no_folder_and_no_fact_that_is_not_shown(
    trained: Trained, asked: dict[str, Any], tmp_path: Path
) -> None:
    KIND.predict(trained.package, [], tmp_path / "out", {**asked, "report": tmp_path / "report.pdf"})
    content = (tmp_path / "report.pdf").read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    inside = content + b"".join(_unpacked(stream) for stream in streams)
    for secret in (b"Secretfolder", str(tmp_path).encode(), b"CreationDate"):
        assert secret not in inside
    assert set(re.findall(rb"/(Title|Creator|Producer|Author|Subject|Keywords)\b", content)) <= {b"Title", b"Creator"}
    assert content.count(b"/Type /Page ") == 2


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_of_clinical_values_alone_there_is_one_page_and_it_says_what_is_missing(
    trained: Trained, asked: dict[str, Any], tmp_path: Path
) -> None:
    found = KIND.predict(trained.package, [asked["clinical"]], tmp_path / "out", {"explain": True})
    with pages.style():
        made = made_pages(found["predictions"][0], trained.package, JobControl())
    assert len(made) == 1
    together = " ".join(made[0].words)
    assert "Without MRI and PET" in together
    assert together.count("none given") == 2


def test_an_image_that_is_gone_is_told_of(trained: Trained, asked: dict[str, Any], tmp_path: Path) -> None:
    found = KIND.predict(trained.package, [], tmp_path / "out", {**asked, "explain": True})
    prediction = found["predictions"][0]
    Path(prediction["explanation"]["maps"]["pet"]).unlink()
    assert " ".join(words_of(prediction, trained)).count("Not shown:") == 1
    # One that was kept before answers told their images and time.
    old = {
        key: value for key, value in prediction.items() if key not in ("images", "predicted_at", "missing", "cohort")
    }
    assert " ".join(words_of(old, trained)).count("Not shown:") == 2


def test_the_command_writes_a_report_and_refuses_what_cannot_be_one(
    trained: Trained, asked: dict[str, Any], cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ["predict", str(asked["clinical"]), "--model", "tiny", "--out", str(tmp_path / "out"), "--report"]
    assert cli.main([*order, str(tmp_path / "r.pdf")]) == 0
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")
    assert f"report: {tmp_path / 'r.pdf'}" in capsys.readouterr().out
    assert cli.main([*order, str(tmp_path / "r.html")]) == 2
    assert "ends in .pdf" in capsys.readouterr().err
    order[1] = str(cohort_folder)
    assert cli.main([*order, str(tmp_path / "many.pdf")]) == 2
    assert "a report is of one subject, and there are 48" in capsys.readouterr().err
    assert not (tmp_path / "many.pdf").exists()


def test_another_models_prediction_is_refused(trained: Trained, asked: dict[str, Any], tmp_path: Path) -> None:
    found = KIND.predict(trained.package, [asked["clinical"]], tmp_path / "out", {"explain": True})
    with pytest.raises(ModelError, match=r"other 1\.0"):
        KIND.report(trained.package, {**found["predictions"][0], "model": "other"}, tmp_path / "r.pdf")


def test_slices_lie_where_the_map_is_strongest_with_the_right_on_the_left(tmp_path: Path) -> None:
    """A scan stored from left to right, back to front, and its blob at a known place in the patient."""
    affine = np.array([[-2.0, 0, 0, 60], [0, -3.0, 0, 50], [0, 0, 2.5, -40], [0, 0, 0, 1]])
    scan, reasons = np.zeros((60, 40, 36), np.float32), np.zeros((60, 40, 36), np.float32)
    scan[5:55, 5:35, 3:33] = 1.0
    scan[12:16, 18:22, 20:23] = 3.0  # x = 32 mm: on the patient's right
    reasons[12:16, 18:22, 20:23] = 0.5
    for name, values in (("scan", scan), ("map", reasons)):
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    found = sliced(tmp_path / "scan.nii.gz", tmp_path / "map.nii.gz", 0.125, JobControl())
    assert found.sides_known and found.strength == pytest.approx(4.0)
    assert [cut.plane for cut in found.slices] == ["Axial", "Coronal", "Sagittal"]
    axial, coronal, sagittal = found.slices
    assert 10 <= axial.place_mm <= 15 and -13 <= coronal.place_mm <= -4 and 30 <= sagittal.place_mm <= 36
    for cut in (axial, coronal):
        _, columns = np.nonzero(cut.reasons)
        assert columns.max() < cut.reasons.shape[1] / 2  # right of the patient: left of the picture
        assert cut.letters[:2] == ("R", "L")
    assert axial.wide_mm == pytest.approx(2 * axial.grey.shape[1])
    assert axial.high_mm == pytest.approx(3 * axial.grey.shape[0])


def test_a_file_without_known_sides_gets_no_letters(tmp_path: Path) -> None:
    from tests.gui.making import write_scan

    scan = write_scan(tmp_path / "scan.nii")
    header = nib.load(scan).header
    header.set_qform(None, 0)
    header.set_sform(None, 0)
    values = np.asarray(nib.load(scan).dataobj)
    image = nib.Nifti1Image(values, None, header)
    nib.save(image, tmp_path / "unplaced.nii")
    found = sliced(tmp_path / "unplaced.nii", tmp_path / "unplaced.nii", 1.0, JobControl())
    assert not found.sides_known


def test_what_is_faint_leaves_the_scan_as_it_is_and_signs_have_their_colours() -> None:
    shade = np.full((1, 3, 3), 0.5)
    found = coloured(shade, np.array([[0.9 * FAINTEST, 1.0, -1.0]]))[0]
    assert np.allclose(found[0], 0.5)
    assert found[1, 0] > found[1, 2] and found[2, 2] > found[2, 0]


def test_the_hill_holds_nine_tenths_of_the_subjects() -> None:
    quantiles = np.quantile(np.random.default_rng(0).beta(2, 3, 500), np.arange(5, 100, 5) / 100).tolist()
    assert sum((high - low) * height for low, high, height in density(quantiles)) == pytest.approx(0.9)


def test_a_report_cannot_take_the_place_of_a_folder(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "x.pdf").mkdir()
    with pytest.raises(IsocenterError, match="a report is a PDF file"):
        KIND.predict(trained.package, [], tmp_path / "out", {"report": tmp_path / "x.pdf"})
