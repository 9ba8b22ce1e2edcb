from __future__ import annotations

import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.cli import main
from core.control import JobControl
from core.errors import Cancelled, RegistrationFailed
from core.imaging.geometry import corners_ras_mm, index_to_ras_mm, ras_mm_to_index
from core.imaging.reader import read
from core.imaging.registration import apply
from core.imaging.registration.quality import judge
from core.imaging.registration.register import Registration, register
from core.imaging.registration.target import template_target
from core.imaging.volume import Volume
from core.imaging.writer import write_volume

Array = np.ndarray[Any, Any]
MIDDLE = np.array([0.0, -20.0, 15.0])
CODES = {"LPS": (-1, -1, 1), "RAS": (1, 1, 1)}


@pytest.fixture(scope="module")
def brain() -> Volume:
    return template_target().volume


def made(turn_deg: tuple[float, float, float], shift_mm: tuple[float, float, float], scale: float = 1.0) -> Array:
    """A movement of the head about its middle."""
    move = np.eye(4)
    move[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() * scale
    move[:3, 3] = MIDDLE - move[:3, :3] @ MIDDLE + shift_mm
    return move


def moved(volume: Volume, move: Array) -> Volume:
    return replace(volume, affine_ras=move @ volume.affine_ras)


def stored(volume: Volume, codes: str, steps: tuple[int, int, int] = (1, 1, 1)) -> Volume:
    """Another voxel order, and only every n-th voxel along each axis."""
    cut = tuple(slice(None, None, step) for step in steps)
    affine = volume.affine_ras @ np.diag([*steps, 1.0])
    voxels = volume.voxels[cut]
    for axis, sign in enumerate(CODES[codes]):
        if sign < 0:
            flip = np.eye(4)
            flip[axis, axis], flip[axis, 3] = -1, voxels.shape[axis] - 1
            voxels, affine = np.flip(voxels, axis), affine @ flip
    return replace(volume, voxels=np.ascontiguousarray(voxels), affine_ras=affine)


def corner_error_mm(move: Array, found: Registration) -> float:
    """How far the template's corners end from where they began, moved and registered back."""
    target = template_target().volume
    corners = corners_ras_mm(target.affine_ras, target.grid_shape)
    there = corners @ move[:3, :3].T + move[:3, 3]
    back = there @ found.moving_to_fixed[:3, :3].T + found.moving_to_fixed[:3, 3]
    return float(np.linalg.norm(back - corners, axis=1).max())


def test_a_turned_and_shifted_head_is_found_rigidly(brain: Volume):
    move = made((-18, 12, 20), (15, -20, 18))
    found = register(moved(stored(brain, "LPS"), move), kind="rigid")
    assert corner_error_mm(move, found) <= 2.0
    assert found.quality.scale == pytest.approx((1.0, 1.0), abs=1e-6)
    assert found.quality.similarity > 0.9


@pytest.mark.parametrize(
    ("turn", "shift", "scale", "codes", "steps"),
    [((20, -15, 10), (-20, 10, 20), 0.9, "LPS", (1, 2, 4)), ((-12, 20, -20), (20, 20, -15), 1.1, "RAS", (3, 1, 1))],
)
def test_a_head_of_another_size_in_thick_slices_is_found(
    brain: Volume, turn: Any, shift: Any, scale: float, codes: str, steps: Any
):
    move = made(turn, shift, scale)
    found = register(moved(stored(brain, codes, steps), move))
    assert corner_error_mm(move, found) <= 2.0
    assert found.quality.covered > 0.98


def test_a_subject_with_skull_is_brought_onto_the_template_and_its_left_stays_left(data_folder: Path, tmp_path: Path):
    with tarfile.open(data_folder / "brain_pet_mr_simulated" / "brainweb_06_t1_dcm.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    head = read(tmp_path)
    found = register(moved(head, made((15, -10, 12), (10, 20, -15), 1.05)))
    assert found.quality.correlation > 0.7
    assert found.quality.edges > 0.7
    assert np.linalg.det(found.moving_to_fixed) > 0
    assert found.quality.turn_deg == pytest.approx(22.9, abs=2)


def test_a_scan_is_registered_to_another_one_and_the_same_way_twice(brain: Volume):
    """A brighter spot marks one place: it lies there again after resampling."""
    voxels = stored(brain, "RAS", (2, 2, 2)).voxels.copy()
    fixed = replace(stored(brain, "RAS", (2, 2, 2)), voxels=voxels)
    spot_ijk = (28, 60, 50)
    marked = voxels.astype(np.int16)
    marked[27:30, 59:62, 49:52] = 900
    move = made((5, -8, 12), (12, -6, 9))
    moving = moved(stored(replace(fixed, voxels=marked), "LPS"), move)
    found = register(moving, fixed, "rigid")
    assert corner_error_mm(move, found) <= 2.0
    laid = apply.resampled(moving, found, fixed)
    assert laid.shape == fixed.shape
    place = np.argwhere(laid.voxels > 600).mean(axis=0)
    assert np.linalg.norm(place - spot_ijk) < 1.0
    assert np.array_equal(register(moving, fixed, "rigid").moving_to_fixed, found.moving_to_fixed)


def test_half_a_head_is_refused_for_what_it_does_not_cover(brain: Volume):
    half = replace(stored(brain, "RAS", (1, 2, 2)), voxels=stored(brain, "RAS", (1, 2, 2)).voxels[:98])
    with pytest.raises(RegistrationFailed, match=r"covers only \d+% of the template's brain"):
        register(half)


def test_a_head_upside_down_is_refused_and_its_header_blamed(brain: Volume):
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    with pytest.raises(RegistrationFailed, match=r"only when it is turned by 1[78]. degrees.*left and right"):
        register(moved(stored(brain, "RAS", (2, 2, 2)), flip))


def test_noise_and_a_blank_scan_are_refused(brain: Volume):
    rng = np.random.default_rng(3)
    noise = replace(brain, voxels=rng.integers(0, 255, (60, 60, 60)).astype(np.uint8))
    with pytest.raises(RegistrationFailed, match="no good fit to the template was found"):
        register(replace(noise, affine_ras=brain.affine_ras @ np.diag([3.0, 3.0, 3.0, 1.0])))
    with pytest.raises(RegistrationFailed, match="nothing to register"):
        register(replace(noise, voxels=np.zeros((20, 20, 20), np.uint8)))


def test_a_matrix_that_is_off_does_not_pass(brain: Volume):
    """The measure itself can tell: 15 mm or 15 degrees beside the right place is poor."""
    from core.imaging.registration.pictures import picture
    from core.imaging.registration.register import _good

    target, seen = template_target(), picture(stored(brain, "RAS", (2, 2, 2)), JobControl())
    assert _good(target, judge(target, seen, np.eye(4)))
    for off in (made((0, 0, 0), (15, 0, 0)), made((0, 0, 0), (0, 0, 15)), made((15, 0, 0), (0, 0, 0))):
        assert not _good(target, judge(target, seen, off))


@pytest.mark.parametrize("step", ["Looking for the head's place", "Affine registration"])
def test_a_cancel_ends_it_within_half_a_second(brain: Volume, step: str):
    asked: list[float] = []

    def listen(_fraction: float | None, message: str) -> None:
        if message == step and not asked:
            asked.append(time.monotonic())
            control.cancel()

    control = JobControl(listen)
    with pytest.raises(Cancelled):
        register(moved(brain, made((10, 5, 5), (5, 5, 5))), control=control)
    assert time.monotonic() - asked[0] < 0.5


def test_the_transform_file_is_read_by_itk_as_the_same_movement(brain: Volume, tmp_path: Path):
    import SimpleITK as sitk

    found = a_registration(brain)
    path = tmp_path / "move.tfm"
    path.write_text(apply.itk_transform(found))
    point_ras = np.array([12.0, -30.0, 25.0])
    there = np.array(sitk.ReadTransform(str(path)).TransformPoint((point_ras * (-1, -1, 1)).tolist())) * (-1, -1, 1)
    back = found.moving_to_fixed[:3, :3] @ there + found.moving_to_fixed[:3, 3]
    assert back == pytest.approx(point_ras, abs=1e-6)


def test_resampling_keeps_each_value_at_its_place(brain: Volume):
    found = a_registration(brain)
    moving = moved(stored(brain, "LPS", (1, 1, 2)), np.linalg.inv(found.moving_to_fixed))
    laid = apply.resampled(moving, found, None)
    for index in ((60, 120, 90), (130, 100, 80), (98, 150, 60)):
        point = index_to_ras_mm(laid.affine_ras, np.array(index))
        there = np.linalg.inv(found.moving_to_fixed) @ [*point, 1.0]
        nearest = np.rint(ras_mm_to_index(moving.affine_ras, there[:3])).astype(int)
        assert laid.voxels[index] == pytest.approx(float(moving.values()[tuple(nearest)]), abs=40)
    assert laid.source.form_codes == (4, 4)
    near = np.corrcoef(laid.voxels[::3, ::3, ::3].ravel(), brain.values()[::3, ::3, ::3].ravel())[0, 1]
    assert near > 0.98


def test_the_command_writes_the_scan_and_the_transform(
    brain: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    import json

    small = stored(brain, "RAS", (2, 2, 2))
    write_volume(tmp_path / "fixed.nii", small)
    write_volume(tmp_path / "moving.nii", moved(stored(small, "LPS"), made((0, 5, 10), (8, 0, 0))))
    out = tmp_path / "laid.nii.gz"
    command = ["register", str(tmp_path / "moving.nii"), "--to", str(tmp_path / "fixed.nii"), "--out", str(out)]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "rigid"
    assert told["quality"]["similarity"] > 0.9
    assert read(out).shape == small.shape
    assert json.loads((tmp_path / "laid.json").read_text())["matrix_moving_to_fixed_ras"]
    assert (tmp_path / "laid.tfm").read_text().startswith("#Insight Transform File V1.0")
    assert main([*command[:-1], str(tmp_path / "moving.nii")]) == 2


def a_registration(brain: Volume) -> Registration:
    """A registration as it would be found, without finding it."""
    from core.imaging.registration.quality import Quality

    quality = Quality(1.0, 1.0, 1.0, 1.0, 1.0, 10.0, (1.0, 1.0))
    return Registration(made((10, -5, 8), (4, -7, 11), 1.04), "affine", brain.name, True, quality, ())


def test_of_several_time_points_it_says_that_the_first_was_taken(brain: Volume):
    still = moved(stored(brain, "RAS", (3, 3, 3)), made((5, 0, 0), (5, 5, 0)))
    several = replace(still, voxels=np.stack([still.voxels, np.zeros_like(still.voxels)], axis=-1))
    told = [finding.message for finding in register(several, kind="rigid").findings if finding.severity == "warning"]
    assert any("2 volumes" in message and "by the first" in message for message in told)
