"""Series of several grids, such as localizers: split into parts, each of which can be chosen; told, never silent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.cli import main
from core.control import JobControl
from core.errors import UnreadableScan
from core.export.anonymise import anonymise
from core.export.sources import image_files
from core.imaging.choices import choices_in
from core.imaging.dicom import series_in
from core.imaging.reader import read

AXIAL, SAGITTAL, CORONAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]


@pytest.fixture
def localizer(make_series) -> Path:
    """Three axial slices, two sagittal ones and one coronal, in one series."""
    vary = {n: {"ImageOrientationPatient": AXIAL} for n in range(3)}
    for n, x in ((3, 0.0), (4, 10.0)):
        vary[n] = {"ImageOrientationPatient": SAGITTAL, "ImagePositionPatient": [x, 0.0, 0.0]}
    vary[5] = {"ImageOrientationPatient": CORONAL, "ImagePositionPatient": [0.0, 5.0, 0.0]}
    return make_series([0, 8, 16, 3, 4, 5], vary=vary, SeriesDescription="localizer")


def findings(volume) -> dict[str, str]:
    return {finding.code: finding.message for finding in volume.findings}


def test_a_localizer_is_listed_as_one_part_for_each_direction(localizer):
    listed = series_in(localizer)
    assert [(one.uid, one.images, one.part, one.parts) for one in listed] == [
        ("1.2.3#1", 3, 1, 3), ("1.2.3#2", 2, 2, 3), ("1.2.3#3", 1, 3, 3),
    ]  # fmt: skip
    assert [choice.name for choice in choices_in(localizer)] == [f"localizer, part {n} of 3" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("part", "shape", "orientation", "spacing"),
    [(1, (5, 6, 3), "LPS", 8.0), (2, (5, 6, 2), "PIL", 10.0), (3, (5, 6, 1), "LIA", 2.0)],
)
def test_each_part_is_read_at_its_place(localizer, part, shape, orientation, spacing):
    volume = read(localizer, series=f"1.2.3#{part}")
    assert volume.shape == shape and volume.source.series == f"1.2.3#{part}"
    assert volume.orientation[:2] == orientation[:2] and volume.spacing_mm[2] == pytest.approx(spacing)
    assert "images of different orientations" in findings(volume)["several_parts"]
    assert ("single_slice" in findings(volume)) == (part == 3)
    assert float(np.abs(np.linalg.det(volume.affine_ras[:3, :3]))) == pytest.approx(0.7 * 0.8 * spacing)


def test_without_a_choice_the_largest_part_is_read_and_the_others_are_named(localizer):
    volume = read(localizer)
    assert volume.shape == (5, 6, 3)
    assert "part 2 (2 images), CT part 3 (1 image)" in findings(volume)["several_parts"]
    assert "several_series" not in findings(volume)
    told = next(finding for finding in volume.findings if finding.code == "several_parts")
    assert told.severity == "warning"
    assert read(localizer, series="1.2.3").shape == (5, 6, 3)


def test_a_file_brings_the_part_it_belongs_to(localizer):
    assert read(localizer / "004.dcm").source.series == "1.2.3#2"
    assert read(localizer / "005.dcm").source.series == "1.2.3#3"


def test_a_part_that_is_not_there_is_refused(localizer):
    with pytest.raises(UnreadableScan, match="not in this folder"):
        read(localizer, series="1.2.3#4")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"PixelSpacing": [1.4, 1.6]}, "different pixel spacings"), ({"Rows": 5, "Columns": 6}, "different sizes")],
)
def test_images_of_two_sizes_are_told_apart(make_series, change, told):
    folder = make_series([0, 2, 4, 6, 8], vary={3: change, 4: change})
    assert [one.images for one in series_in(folder)] == [3, 2]
    volume = read(folder)
    assert volume.shape == (5, 6, 3) and told in findings(volume)["several_parts"]
    assert read(folder, series="1.2.3#2").shape[2] == 2


def test_projections_around_a_patient_are_no_stacks(make_series):
    angles = np.deg2rad(np.arange(20) * 9)
    vary = {n: {"ImageOrientationPatient": [np.cos(a), np.sin(a), 0, 0, 0, -1]} for n, a in enumerate(angles)}
    with pytest.raises(UnreadableScan, match="orientations"):
        read(make_series(range(20), vary=vary))


def test_exports_find_the_images_of_a_part(localizer, tmp_path):
    assert len(image_files(localizer, JobControl(), "1.2.3#2")) == 6
    assert anonymise(localizer, tmp_path / "out", series="1.2.3#2").images == 6


def test_info_takes_a_part(localizer, capsys):
    assert main(["info", str(localizer), "--series", "1.2.3#2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["series"] == "1.2.3#2" and told["shape"] == [5, 6, 2]
    assert "several_parts" in {finding["code"] for finding in told["findings"]}
