"""What a folder offers to open, and the small pictures of it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.control import JobControl
from core.imaging.choices import choices_in, is_collection, preview
from core.imaging.reader import read
from core.imaging.sample import sample_scan
from core.imaging.series import shrunk
from core.imaging.titles import SAMPLE_TITLE, title_of
from tests.core.imaging.conftest import PATIENT, SeriesMaker


@pytest.fixture
def mixed(make_series: SeriesMaker, tmp_path: Path) -> Path:
    """Two CT series and a NIfTI file in one tree."""
    make_series(range(0, 12, 2), folder="tree", SeriesDescription="Head thin", StudyDate="20240301", SeriesNumber=2)
    make_series(
        range(0, 8, 2), folder="tree", names=[f"b{n}" for n in range(4)], SeriesInstanceUID="1.2.4",
        SeriesDate="20240302", SeriesNumber=3,
    )  # fmt: skip
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4)), tmp_path / "tree" / "labels.nii.gz")
    return tmp_path / "tree"


def test_a_tree_offers_each_series_and_each_file_largest_series_first(mixed: Path) -> None:
    thin, thick, file = choices_in(mixed)
    assert (thin.name, thick.name, file.name) == ("Head thin", "CT 3 (4 images)", "labels")
    assert thin.info is not None and thick.info is not None
    assert (thin.info.date, thick.info.date) == ("2024-03-01", "2024-03-02")
    assert thin.info.spacing_mm == (0.8, 0.7, 2.0)
    assert (thin.info.images, thin.info.rows, thin.info.columns) == (6, 6, 5)
    assert [read(c.path, series=c.series or None).shape for c in (thin, thick, file)] == [
        (5, 6, 6),
        (5, 6, 4),
        (4, 5, 6),
    ]
    assert PATIENT not in repr((thin, thick))


def test_each_choice_has_a_picture_of_its_middle(mixed: Path) -> None:
    thin, _, file = choices_in(mixed)
    of_series, of_file = preview(thin, JobControl()), preview(file, JobControl())
    assert of_series is not None and of_file is not None
    assert of_series.picture.shape == (128, round(128 * 5 * 0.8 / (6 * 0.7)))
    assert of_file.shape == (4, 5, 6)


def test_the_marker_on_the_right_is_on_the_left_of_the_picture_of_a_file(tmp_path: Path) -> None:
    voxels = np.zeros((20, 20, 5), np.int16)
    voxels[15:, :, :] = 100  # high i: the patient's right in RAS
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii")
    (choice,) = choices_in(tmp_path)
    shown = preview(choice, JobControl())
    assert shown is not None
    assert shown.picture[:, :20].mean() > 200 > 50 > shown.picture[:, -20:].mean()


def test_a_picture_of_high_pixels_keeps_its_proportions() -> None:
    assert shrunk(np.zeros((100, 100)), pixel_aspect=2.0).shape == (128, 64)
    assert shrunk(np.full((3, 4), np.nan)).shape == (96, 128)


def test_only_folders_and_directory_files_are_collections(mixed: Path) -> None:
    assert is_collection(mixed)
    assert is_collection(mixed / "DICOMDIR")
    assert not is_collection(mixed / "labels.nii.gz")


def test_the_sample_has_a_title_of_its_own() -> None:
    assert read(sample_scan()).title == SAMPLE_TITLE
    assert title_of(Path("/else/icbm152_2009_t1.nii")) == "icbm152_2009_t1"
