"""A folder of scans predicted from the command line: found, recorded, and gone on with."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core.cli import main
from core.control import JobControl
from core.imaging.reader import read
from core.imaging.writer import write_volume
from core.inference.cases import cases_in
from tests.core.imaging.conftest import make_series  # noqa: F401
from tests.core.inference.making import bright_box
from tests.core.making import write_nifti

HEIGHTS = [2.0 * k for k in range(12)]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three readable scans in two formats and a broken one, in two folders."""
    folder = tmp_path / "scans"
    (folder / "b").mkdir(parents=True)
    image = bright_box()[0]
    write_nifti(folder / "one.nii.gz", image)
    write_nifti(folder / "b" / "one.nii.gz", image)
    write_volume(folder / "b" / "two.nrrd", read(folder / "one.nii.gz"))
    (folder / "broken.nii").write_bytes(b"no scan" * 99)
    return folder


def predicted(capsys: Any, scans: Path, out: Path, *more: str, code: int = 2) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["predict", str(scans), "--model", "bright", "--out", str(out), "--json", *more]) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def table(out: Path) -> list[dict[str, str]]:
    with (out / "volumes.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fresh(answer: dict[str, Any]) -> list[str]:
    return [Path(one["output"]).name for one in answer["predictions"] if not one.get("skipped")]


def test_a_folder_is_walked_and_each_scan_has_a_row(capsys, package, scans, tmp_path):
    out = tmp_path / "out"
    answer = predicted(capsys, scans, out)
    places = sorted(os.path.relpath(one["output"], out) for one in answer["predictions"])
    assert places == [os.path.join("b", "one_seg.nii.gz"), os.path.join("b", "two_seg.nii.gz"), "one_seg.nii.gz"]
    rows = {os.path.relpath(row["scan"], scans): row for row in table(out)}
    assert len(rows) == 4
    broken = rows.pop("broken.nii")
    assert broken["state"] == "failed" and "not a NIfTI file" in broken["reason"] and broken["Bright mL"] == ""
    for row in rows.values():
        marked = np.count_nonzero(np.asarray(nib.load(out / row["output"]).dataobj))
        assert row["state"] == "done" and float(row["Bright mL"]) == pytest.approx(marked / 1000)
        assert 0.5 < float(row["Bright confidence"]) <= 1 and float(row["seconds"]) > 0


def test_a_name_that_is_not_unicode_is_told_and_keeps_no_other_scan_back(capsys, package, scans, tmp_path):
    strange, out = scans / os.fsdecode(b"k\xe4se.nii.gz"), tmp_path / "out"
    try:
        strange.write_bytes((scans / "one.nii.gz").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("every name is Unicode on this disk")
    answer = predicted(capsys, scans, out)
    assert len(answer["predictions"]) == 3 and answer["failed"][1]["mend"] == "Rename it."
    assert answer["failed"][1]["scan"] == str(strange)
    assert len(table(out)) == 5
    assert [bool(one.get("skipped")) for one in predicted(capsys, scans, out)["predictions"]] == [True] * 3
    assert main(["info", str(strange)]) == 2
    assert "is not Unicode" in capsys.readouterr().err


def test_a_second_start_predicts_only_what_changed_or_failed(capsys, package, scans, tmp_path):
    out = tmp_path / "out"
    predicted(capsys, scans, out)
    first = table(out)
    assert fresh(predicted(capsys, scans, out)) == []
    assert table(out) == first
    write_nifti(scans / "one.nii.gz", bright_box((22, 24, 18))[0])
    (out / "b" / "two_seg.nii.gz").write_bytes(b"damaged")
    assert sorted(fresh(predicted(capsys, scans, out))) == ["one_seg.nii.gz", "two_seg.nii.gz"]
    assert len(fresh(predicted(capsys, scans, out, "--overwrite"))) == 3


def test_another_version_of_the_model_predicts_anew(capsys, package, make_package, scans, tmp_path):
    predicted(capsys, scans, tmp_path / "out")
    make_package(version="2.0")
    assert len(fresh(predicted(capsys, scans, tmp_path / "out"))) == 3


def test_other_settings_predict_anew_and_uncertainty_maps_are_no_scans(capsys, package, scans):
    predicted(capsys, scans, scans)
    assert len(fresh(predicted(capsys, scans, scans, "--uncertainty"))) == 3
    assert (scans / "b" / "one_uncertainty.nii.gz").is_file()
    assert fresh(predicted(capsys, scans, scans, "--uncertainty")) == []


def test_a_line_that_a_crash_cut_off_costs_one_case(capsys, package, scans, tmp_path):
    out = tmp_path / "out"
    predicted(capsys, scans, out)
    ledger = out / "predictions.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert len(fresh(predicted(capsys, scans, out))) == 1
    assert fresh(predicted(capsys, scans, out)) == []


def test_one_scan_leaves_no_table_and_goes_on_only_when_asked(capsys, package, scans, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        assert len(fresh(predicted(capsys, scans / "one.nii.gz", out, code=0))) == 1
    assert [file.name for file in out.iterdir()] == ["one_seg.nii.gz"]
    assert len(fresh(predicted(capsys, scans / "one.nii.gz", out, "--resume", code=0))) == 1
    assert fresh(predicted(capsys, scans / "one.nii.gz", out, "--resume", code=0)) == []


def test_a_label_map_that_a_person_made_or_corrected_is_not_replaced_unasked(capsys, package, scans, tmp_path):
    one, result = scans / "one.nii.gz", tmp_path / "one_seg.nii.gz"
    drawn = write_nifti(result, np.ones((4, 4, 4), np.uint8)).read_bytes()
    [failed] = predicted(capsys, one, tmp_path)["failed"]
    assert "was not predicted here" in failed["what"] and result.read_bytes() == drawn
    predicted(capsys, one, tmp_path, "--overwrite", code=0)
    predicted(capsys, one, tmp_path, code=0)  # its own answer may go
    image = nib.load(result)
    corrected = np.asarray(image.dataobj).copy()
    corrected[0, 0, 0] += 1
    nib.save(nib.Nifti1Image(corrected, image.affine, image.header), result)
    kept = result.read_bytes()
    [failed] = predicted(capsys, one, tmp_path)["failed"]
    assert "was changed since" in failed["what"] and result.read_bytes() == kept


def test_results_among_the_scans_are_not_predicted_again(capsys, package, scans):
    before = [case.scan for case in cases_in(scans, JobControl()).cases]
    predicted(capsys, scans, scans)
    predicted(capsys, scans, scans / "results")
    found = cases_in(scans, JobControl(), scans / "results").cases
    assert [case.scan for case in found] == before
    assert fresh(predicted(capsys, scans, scans)) == []


def test_every_series_that_is_a_scan_is_a_case_with_a_place_of_its_own(make_series, tmp_path):  # noqa: F811
    for name, uid, heights in (("t1", "1.2.31", HEIGHTS), ("t2", "1.2.32", HEIGHTS), ("scout", "1.2.33", HEIGHTS[:3])):
        size = {"Rows": 8, "Columns": 8, "PixelData": bytes(2 * 64)}
        make_series(heights, folder="study", names=[f"{name}-{n}.dcm" for n in range(len(heights))],
                    SeriesInstanceUID=uid, **size)  # fmt: skip
    found = cases_in(tmp_path, JobControl())
    assert [case.series for case in found.cases] == ["1.2.31", "1.2.32"]
    assert len({(case.folder, case.name) for case in found.cases}) == 2
    assert len(found.left_out) == 1 and "3 images" in found.left_out[0]
