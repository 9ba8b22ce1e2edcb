"""Volumes on a model's grid: the right side, comparable values, made once."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.control import JobControl
from core.data.cohort.read import read_cohort
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Subject
from core.data.cohort.volumes import volumes
from core.errors import UnsuitableScan
from core.imaging.mni import Grid, tissues

GRID = Grid((24, 32, 24), (6.5, 6.5, 6.5))
FINE = Grid((46, 60, 46), (4.0, 4.0, 4.0))


def subject(mri: Path | None, pet: Path | None) -> Subject:
    return Subject("a", "", mri, pet, np.zeros(0, np.float32), None)


def saved(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.set_sform(affine, 4)
    image.set_qform(affine, 4)
    nib.save(image, path)
    return path


def head() -> np.ndarray:
    known = tissues(FINE)
    return np.asarray(1000 * known.white + 600 * known.grey + 200 * known.fluid)


def test_left_stays_left_whichever_way_the_file_is_stored(tmp_path: Path) -> None:
    values = head()
    x, y, z = FINE.places_mm()
    values[(np.abs(x + 44) < 9) & (np.abs(y + 10) < 9) & (np.abs(z - 20) < 9)] = 4000  # in the left hemisphere
    as_ras = saved(tmp_path / "ras.nii", values, FINE.affine_ras)
    lps = FINE.affine_ras @ np.diag([-1, -1, 1, 1])
    lps[:3, 3] = FINE.affine_ras[:3, 3] + np.diag(FINE.affine_ras)[:3] * (*(np.array(FINE.shape[:2]) - 1), 0)
    as_lps = saved(tmp_path / "lps.nii", values[::-1, ::-1], lps)
    first, second = (volumes(subject(p, None), GRID, JobControl(), tmp_path / "c")[0] for p in (as_ras, as_lps))
    assert first is not None
    assert second is not None
    assert np.allclose(first, second, atol=1e-4)
    place = GRID.affine_ras @ [*np.unravel_index(first.argmax(), first.shape), 1]
    assert np.allclose(place[:3], (-44, -10, 20), atol=8)


def test_an_mri_does_not_depend_on_the_scanners_gain(tmp_path: Path) -> None:
    one = saved(tmp_path / "one.nii", head(), FINE.affine_ras)
    two = saved(tmp_path / "two.nii", 3.7 * head(), FINE.affine_ras)
    a, b = (volumes(subject(p, None), GRID, JobControl(), tmp_path / "c")[0] for p in (one, two))
    assert a is not None
    assert b is not None
    assert np.allclose(a, b, atol=1e-3)
    inside = tissues(GRID).inside
    assert a[~inside].max() == a[~inside].min() == 0
    assert a[a != 0].mean() == pytest.approx(0, abs=0.01)
    assert a[a != 0].std() == pytest.approx(1, abs=0.01)


def test_a_pet_is_told_by_the_uptake_of_the_cerebellum(tmp_path: Path) -> None:
    known = tissues(FINE)
    uptake = known.brain * 5000.0
    uptake[known.reference] = 10_000.0
    _, pet = volumes(
        subject(None, saved(tmp_path / "p.nii", uptake, FINE.affine_ras)), GRID, JobControl(), tmp_path / "c"
    )
    assert pet is not None
    assert pet[tissues(GRID).reference].mean() == pytest.approx(1.0, abs=0.01)
    _, gy, _ = GRID.places_mm()
    front = tissues(GRID).inside & (gy > 20) & (tissues(GRID).brain > 0.99)
    assert 0.45 < np.median(pet[front]) < 0.75  # half of the reference, whose own edges are blurred


def test_a_pet_without_a_cerebellum_is_refused(tmp_path: Path) -> None:
    uptake = tissues(FINE).brain * 5000.0
    uptake[:, :, : FINE.shape[2] // 2] = 0
    path = saved(tmp_path / "p.nii", uptake, FINE.affine_ras)
    with pytest.raises(UnsuitableScan, match="cerebellum"):
        volumes(subject(None, path), GRID, JobControl(), tmp_path / "c")


def test_volumes_are_made_once_and_a_torn_file_is_made_again(
    tmp_path: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = read_cohort(simulated, CohortDataConfig(), JobControl())
    one = next(s for s in cohort.subjects if s.mri is not None and s.pet is not None)
    first = volumes(one, GRID, JobControl(), tmp_path / "c")
    monkeypatch.setattr("core.data.cohort.volumes.read", lambda *_: pytest.fail("read again"))
    second = volumes(one, GRID, JobControl(), tmp_path / "c")
    monkeypatch.undo()
    for a, b in zip(first, second, strict=True):
        assert a is not None
        assert b is not None
        assert np.array_equal(a, b)
        assert (a.shape, a.dtype) == (GRID.shape, np.float32)
    for file in (tmp_path / "c").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    third = volumes(one, GRID, JobControl(), tmp_path / "c")
    assert np.array_equal(first[0], third[0])  # type: ignore[arg-type]


def test_what_is_missing_is_none(tmp_path: Path, simulated: Path) -> None:
    cohort = read_cohort(simulated, CohortDataConfig(), JobControl())
    lacking = [s for s in cohort.subjects if s.pet is None or s.mri is None]
    assert lacking
    for one in lacking:
        mri, pet = volumes(one, GRID, JobControl(), tmp_path / "c")
        assert (mri is None, pet is None) == (one.mri is None, one.pet is None)
