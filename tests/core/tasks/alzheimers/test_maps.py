"""Maps of reasons lie on the scan that they explain, however that lies in the scanner and is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from core.control import JobControl
from core.data.cohort.subject import Grid, Subject
from core.imaging.mni import tissues
from core.imaging.preparation import prepare as preparing
from core.imaging.preparation.prepare import Prepared
from core.imaging.reader import read
from core.tasks.alzheimers.maps import write_map

MODEL = Grid((32, 40, 32), (5.0, 5.0, 5.0))
SPOT_MM = np.array([-38.0, -24.0, 12.0])  # in the left hemisphere, in template space
SPREAD_MM = 9.0


def around_spot(grid: Grid) -> np.ndarray:
    x, y, z = grid.places_mm()
    away = (x - SPOT_MM[0]) ** 2 + (y - SPOT_MM[1]) ** 2 + (z - SPOT_MM[2]) ** 2
    return np.exp(-away / (2 * SPREAD_MM**2)).astype(np.float32)


def oblique(turn_deg: tuple[float, float], move_mm: tuple[float, float, float]) -> np.ndarray:
    """Template space -> a scanner in which the head is turned about two axes and moved."""
    a, b = np.deg2rad(turn_deg)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = about_x @ about_z, move_mm
    return found


def stored(head: np.ndarray, head_grid: Grid, to_scanner: np.ndarray, axes: tuple[int, int, int]) -> tuple[Any, Any]:
    """The head's voxels in another order of axes, the first of them backwards, and their affine in the scanner."""
    values = head.transpose(axes)[::-1]
    turn = np.zeros((4, 4))
    for new, old in enumerate(axes):
        turn[old, new] = 1
    turn[3, 3] = 1
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = values.shape[0] - 1
    return np.ascontiguousarray(values), to_scanner @ head_grid.affine_ras @ turn @ flip


def saved(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


def peak_mm(path: Path) -> np.ndarray:
    """The middle of what is above half of the map's most, in the file's own RAS millimetres."""
    found = read(path)
    values = found.values()
    middle = ndimage.center_of_mass(np.where(values > values.max() / 2, values, 0))
    return (found.affine_ras @ [*middle, 1])[:3]


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("kind", ["mri", "pet"])
def test_a_map_lies_on_a_raw_oblique_scan_where_its_affine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, axes: tuple[int, int, int]
) -> None:
    """With the place that a registration would have found without any error."""
    head = Grid((60, 72, 50), (2.5, 2.8, 3.0))
    to_scanner = oblique((23, -17), (14, -60, 35))
    values, affine = stored(around_spot(head), head, to_scanner, axes)
    scan = saved(tmp_path / "scan.nii.gz", values, affine)
    asked: list[tuple[Any, Any]] = []

    def placed(mri: Path | None, pet: Path | None, *_: Any) -> Prepared:
        asked.append((mri, pet))
        return Prepared(tmp_path, facts={kind: {"affine": (np.linalg.inv(to_scanner) @ affine).tolist()}})

    monkeypatch.setattr(preparing, "prepare", placed)
    other = tmp_path / "other.nii.gz"
    files = {"mri": other, "pet": other, kind: scan}
    subject = Subject("a", "", files["mri"], files["pet"], np.zeros(0, np.float32), None)
    write_map(tmp_path / "map.nii.gz", around_spot(MODEL), MODEL, subject, kind, JobControl())
    found = read(tmp_path / "map.nii.gz")
    assert found.grid_shape == values.shape
    assert np.allclose(found.affine_ras, affine, atol=1e-4)
    # The scan is bright just where the map of the same spot has to be.
    assert np.abs(peak_mm(tmp_path / "map.nii.gz") - (to_scanner @ [*SPOT_MM, 1])[:3]).max() < 0.5
    assert np.corrcoef(found.values().ravel(), values.ravel())[0, 1] > 0.99
    # An MRI is placed by itself; only a PET needs the other image.
    assert asked == [(scan, None) if kind == "mri" else (other, scan)]


def test_a_map_lies_on_the_lesion_of_a_raw_scan_that_was_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a turned head, and a PET that lies elsewhere, both with a spot at a known place."""
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "home"))
    grid = Grid((78, 100, 80), (2.0, 2.0, 2.0))
    known, spot = tissues(grid), around_spot(grid)
    t1 = 1000 * known.white + 650 * known.grey + 250 * known.fluid + 5 * np.random.default_rng(0).random(grid.shape)
    uptake = ndimage.gaussian_filter(5000 * known.grey + 1500 * known.white, 1.3)
    poses = {"mri": oblique((9, -8), (12, -7, 30)), "pet": oblique((-6, 5), (-5, 10, -12))}
    files = {}
    for kind, head, axes in (("mri", t1 * (1 - 0.5 * spot), (2, 0, 1)), ("pet", uptake * (1 - 0.3 * spot), (0, 1, 2))):
        files[kind] = saved(tmp_path / f"{kind}.nii.gz", *stored(head, grid, poses[kind], axes))
    subject = Subject("a", "", files["mri"], files["pet"], np.zeros(0, np.float32), None)
    for kind in ("mri", "pet"):
        target = tmp_path / f"{kind}_map.nii.gz"
        write_map(target, around_spot(MODEL), MODEL, subject, kind, JobControl())
        assert read(target).grid_shape == read(files[kind]).grid_shape
        lesion = (poses[kind] @ [*SPOT_MM, 1])[:3]
        assert np.linalg.norm(peak_mm(target) - lesion) < 4.0, kind
        mirrored = (poses[kind] @ [-SPOT_MM[0], *SPOT_MM[1:], 1])[:3]
        assert np.linalg.norm(peak_mm(target) - mirrored) > 60
