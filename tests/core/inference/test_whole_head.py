from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.control import JobControl
from core.errors import Cancelled, UnsuitableScan
from core.imaging.geometry import index_to_ras_mm
from core.imaging.reader import read
from core.imaging.sample import sample_scan
from core.imaging.volume import Source, Volume
from core.inference import template
from core.inference.package import ModelPackage, list_packages
from core.inference.predictor import Segmentation, segment
from tests.core.inference.making import bright_box

Make = Callable[..., ModelPackage]

LEFT_BOX = [[-44, -8], [-46, 0], [-33, 7]]
RIGHT_BOX = [[8, 44], [-46, 0], [-33, 7]]
WHOLE_HEAD = {
    "template": "icbm152",
    "regions": [
        {"side": "left", "box_ras_mm": LEFT_BOX, "mirror": False},
        {"side": "right", "box_ras_mm": RIGHT_BOX, "mirror": True},
    ],
}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    """The sample head at 2 mm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(tmp_path_factory.mktemp("home")))
        whole = read(sample_scan())
    affine = whole.affine_ras @ np.diag([2.0, 2.0, 2.0, 1.0])
    return replace(whole, voxels=np.array(whole.voxels[::2, ::2, ::2]), affine_ras=affine)


@pytest.fixture
def both_sides(make_package: Make) -> ModelPackage:
    return make_package(whole_head=WHOLE_HEAD)


def moved(volume: Volume, move: np.ndarray[Any, Any]) -> Volume:
    return replace(volume, affine_ras=move @ volume.affine_ras)


def shift(x: float = 0, y: float = 0, z: float = 0) -> np.ndarray[Any, Any]:
    move = np.eye(4)
    move[:3, 3] = x, y, z
    return move


def rotation(axis: int, degrees: float) -> np.ndarray[Any, Any]:
    """A turn about a point in the middle of the brain."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = ((1, 2), (0, 2), (0, 1))[axis]
    turn = np.eye(4)
    turn[[a, b], [a, b]] = cos
    turn[a, b], turn[b, a] = -sin, sin
    return shift(0, -20, 15) @ turn @ shift(0, 20, -15)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_head_shifted_by_15_mm_is_not_in_template_space(head: Volume, axis: str):
    assert template.match(head).in_template_space
    for distance in (-15.0, 15.0):
        assert not template.match(moved(head, shift(**{axis: distance}))).in_template_space


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_turned_by_15_degrees_is_not_in_template_space(head: Volume, axis: int):
    assert not template.match(moved(head, rotation(axis, 15))).in_template_space


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_head_of_another_size_is_not_in_template_space(head: Volume, factor: float):
    scale = np.diag([factor, factor, factor, 1.0])
    assert not template.match(moved(head, shift(0, -20, 15) @ scale @ shift(0, 20, -15))).in_template_space


@pytest.mark.parametrize("axis", [1, 2])
def test_a_head_back_to_front_or_upside_down_is_not_in_template_space(head: Volume, axis: int):
    flip = np.eye(4)
    flip[axis, axis] = -1
    assert not template.match(moved(head, shift(0, -20, 15) @ flip @ shift(0, 20, -15))).in_template_space


def test_a_head_with_its_skull_is_recognised(data_folder: Path):
    assert template.match(read(data_folder / "icbm152" / "spm152.nii.gz")).in_template_space


def test_both_sides_are_found_each_on_its_side(both_sides: ModelPackage, head: Volume):
    answer = segment(head, both_sides)
    assert [(s.label, s.name) for s in answer.structures] == [(1, "Bright, left"), (2, "Bright, right")]
    for label, box in ((1, LEFT_BOX), (2, RIGHT_BOX)):
        points = index_to_ras_mm(head.affine_ras, np.argwhere(answer.labels == label))
        assert len(points)
        low, high = np.array(box).T
        assert (points >= low - 2).all()
        assert (points <= high + 2).all()


def test_a_symmetric_head_has_equal_sides(both_sides: ModelPackage, head: Volume):
    left, right = segment(head, both_sides).structures
    assert left.volume_ml == pytest.approx(right.volume_ml, rel=0.02)


def test_the_crop_of_the_right_side_is_mirrored_before_and_after(
    make_package: Make, head: Volume, monkeypatch: pytest.MonkeyPatch
):
    """A network that answers by place shows which way round it saw the crop."""
    import torch

    from core import registry
    from core.registry import Part

    class LowX(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(2, 1, 1, 1, 1))
            self.bias = torch.nn.Parameter(torch.zeros(2))

        def forward(self, image: Any) -> Any:
            ramp = torch.linspace(4, -4, image.shape[2]).reshape(1, 1, -1, 1, 1).expand(1, 1, *image.shape[2:])
            return torch.cat([-ramp, ramp], dim=1)

    class LowXConfig(Part):
        name: str = "lowx"

        def build(self, _in: int, _out: int) -> Any:
            return LowX()

    monkeypatch.setitem(registry._parts["model"], "lowx", LowXConfig)
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [48] * 3, "labels": [{"value": 1, "name": "Low x"}]}
    answer = segment(head, make_package(network={"name": "lowx"}, plan=plan, whole_head=WHOLE_HEAD))
    left, right = (index_to_ras_mm(head.affine_ras, np.argwhere(answer.labels == n))[:, 0] for n in (1, 2))
    assert left.max() <= -24  # the lower, that is lateral, half of the left crop ...
    assert right.min() >= 24  # ... and the lateral half of the right one


def test_the_voxel_order_of_a_head_does_not_matter(both_sides: ModelPackage, head: Volume):
    straight = segment(head, both_sides)
    affine = head.affine_ras @ np.array([[0, 0, -1, head.shape[0] - 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    turned = replace(head, voxels=head.voxels.transpose(1, 2, 0)[:, :, ::-1], affine_ras=affine)
    other = segment(turned, both_sides)
    assert np.array_equal(other.labels[:, :, ::-1].transpose(2, 0, 1), straight.labels)


def codes(answer: Segmentation) -> list[str]:
    return [finding.code for finding in answer.findings]


def test_a_head_in_template_space_is_not_registered_but_the_training_on_crops_is_said(
    both_sides: ModelPackage, head: Volume
):
    assert codes(segment(head, both_sides))[-1:] == ["trained_on_crops"]


def flipped_storage(volume: Volume, axis: int) -> Volume:
    """The same head in the same place, one voxel axis stored the other way."""
    flip = np.eye(4)
    flip[axis, axis], flip[axis, 3] = -1, volume.shape[axis] - 1
    return replace(volume, voxels=np.flip(volume.voxels, axis), affine_ras=volume.affine_ras @ flip)


@pytest.mark.parametrize("stored_flipped", [False, True])
def test_a_head_elsewhere_is_registered_and_its_left_stays_left(
    both_sides: ModelPackage, head: Volume, stored_flipped: bool
):
    move = shift(12, -35, 20) @ rotation(2, 15) @ rotation(0, -12)
    elsewhere = moved(flipped_storage(head, 0) if stored_flipped else head, move)
    answer = segment(elsewhere, both_sides)
    assert "registered_first" in codes(answer)
    assert "oblique" not in codes(answer)
    for label, box in ((1, LEFT_BOX), (2, RIGHT_BOX)):
        points = index_to_ras_mm(np.linalg.inv(move) @ elsewhere.affine_ras, np.argwhere(answer.labels == label))
        assert len(points)
        low, high = np.array(box).T
        assert (points >= low - 10).all()  # the upright crop reaches a little around the turned box
        assert (points <= high + 10).all()


def test_a_head_that_cannot_be_registered_is_refused_with_the_reason(both_sides: ModelPackage, head: Volume):
    front = moved(replace(head, voxels=head.voxels[:, 52:]), shift(y=60))
    with pytest.raises(
        UnsuitableScan, match="could not be registered to the template: the scan covers only"
    ) as refused:
        segment(front, both_sides)
    assert refused.value.mend is not None


def test_registration_can_be_cancelled(both_sides: ModelPackage, head: Volume):
    def listen(_fraction: float | None, message: str) -> None:
        if message == "Affine registration":
            control.cancel()

    control = JobControl(listen)
    with pytest.raises(Cancelled):
        segment(moved(head, shift(y=30)), both_sides, control=control)


def test_volumes_hardly_change_where_a_head_lies(data_folder: Path):
    """With the bundled model: turned, shifted, in thick slices and of another size, in LPS order."""
    bundled = [package for package in list_packages() if package.name == "hippocampus"]
    if not bundled:
        pytest.skip("the model hippocampus is not in resources/models")
    whole = read(data_folder / "icbm152" / "spm152.nii.gz")
    straight = segment(whole, bundled[0])
    scale = 0.92
    move = shift(15, -20, 18) @ rotation(0, 15) @ rotation(2, -12) @ np.diag([scale, scale, scale, 1.0])
    thick = replace(whole, voxels=whole.voxels[:, :, ::2], affine_ras=whole.affine_ras @ np.diag([1.0, 1.0, 2.0, 1.0]))
    answer = segment(moved(flipped_storage(flipped_storage(thick, 0), 1), move), bundled[0])
    for one, other in zip(answer.structures, straight.structures, strict=True):
        assert one.volume_ml / scale**3 == pytest.approx(other.volume_ml, rel=0.10)


def test_half_a_head_is_refused(both_sides: ModelPackage, head: Volume):
    half = replace(head, voxels=head.voxels[:, :, :50])
    with pytest.raises(UnsuitableScan, match="not a whole head"):
        segment(half, both_sides)


def test_a_crop_is_predicted_directly(both_sides: ModelPackage):
    image, mask = bright_box()
    answer = segment(Volume(image, np.eye(4), Source(Path("crop.nii"), "NIfTI-1")), both_sides)
    assert [s.name for s in answer.structures] == ["Bright"]
    assert np.array_equal(answer.labels == 1, mask)
