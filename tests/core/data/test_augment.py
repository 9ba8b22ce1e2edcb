"""Augmentation keeps image and label together, is exact where it does nothing, and follows from its generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.config import AugmentConfig
from core.data import augment, prefetch
from core.data.augment import Pose, blur, change_intensity, coarsen, gamma, mirrored
from core.data.prefetch import PrefetchLoader

SIZE = (12, 16, 10)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def patch(size: tuple[int, ...] = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth image and the label of its bright part, which lies off the centre."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij")
    image = np.exp(-4 * sum((axis - 0.3) ** 2 for axis in axes)).astype(np.float32)
    return torch.from_numpy(image)[None], torch.from_numpy((image > 0.5).astype(np.uint8))[None]


def test_an_identity_pose_gives_the_middle_of_its_window() -> None:
    image, label = patch((16, 20, 14))
    turned, classes = Pose(np.eye(3)).take(image, label, SIZE)
    torch.testing.assert_close(turned, image[:, 2:-2, 2:-2, 2:-2], rtol=0, atol=1e-5)
    assert torch.equal(classes, label[:, 2:-2, 2:-2, 2:-2]) and classes.dtype == torch.uint8


def test_a_quarter_turn_about_z_is_numpys() -> None:
    image, label = patch((12, 12, 10))
    quarter = Pose(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))
    turned, classes = quarter.take(image, label, (12, 12, 10))
    # The patch's offset (1, 0) looks at the case's (0, 1).
    torch.testing.assert_close(turned, torch.rot90(image, -1, (1, 2)), rtol=0, atol=1e-5)
    assert torch.equal(classes, torch.rot90(label, -1, (1, 2)))


def test_a_turn_keeps_its_shape_in_millimetres_where_voxels_are_long() -> None:
    spacing = np.array([1.0, 1.0, 4.0])
    config = AugmentConfig(rotate_deg=40, scale=0, pose_share=0.3)
    poses = [Pose.draw(config, spacing.tolist(), rng(seed)) for seed in range(40)]
    drawn = [pose for pose in poses if pose is not None]
    assert 4 <= len(drawn) <= 20
    for pose in drawn:
        in_mm = pose.matrix * spacing[:, None] / spacing[None, :]
        np.testing.assert_allclose(in_mm @ in_mm.T, np.eye(3), atol=1e-9)


def test_a_move_looks_at_the_case_so_many_voxels_further_on() -> None:
    image, label = patch((16, 20, 14))
    moved, classes = Pose(np.eye(3), np.array([2.0, -1.0, 0.0])).take(image, label, SIZE)
    torch.testing.assert_close(moved, image[:, 4:, 1:-3, 2:-2], rtol=0, atol=1e-5)
    assert torch.equal(classes, label[:, 4:, 1:-3, 2:-2])


def test_label_follows_the_image_through_pose_and_mirror() -> None:
    config = AugmentConfig(flip_axes=["x", "y", "z"], rotate_deg=30, scale=0.3)
    image, label = patch((30, 34, 28))
    seen = 0
    for seed in range(30):
        pose = Pose.draw(config, (1, 1, 1), rng(seed))
        if pose is None:
            continue
        seen += 1
        axes = mirrored(config, rng(seed))
        turned, classes = (part.flip(axes) for part in pose.take(image, label, (20, 24, 18)))
        bright = (turned > 0.5).to(torch.uint8)
        assert (bright != classes).sum() < 0.25 * max(int(classes.sum()), 1)
    assert seen


def test_a_patch_made_again_is_the_same_and_another_seed_gives_another() -> None:
    image = patch()[0]
    for seed in range(20):
        assert torch.equal(change_intensity(image, 0.2, rng(seed)), change_intensity(image, 0.2, rng(seed)))
    assert len({float(change_intensity(image, 0.2, rng(seed)).sum()) for seed in range(20)}) > 5


@pytest.mark.parametrize("strength", [0.01, 0.2, 1.0])
def test_every_change_at_once_keeps_shape_and_gives_numbers(monkeypatch: Any, strength: float) -> None:
    for name in ("NOISE", "BLUR", "BRIGHTNESS", "CONTRAST", "LOW_RESOLUTION", "GAMMA_INVERTED", "GAMMA"):
        monkeypatch.setattr(augment, name, 1.0)
    for image in (torch.cat([patch()[0], -patch()[0]]), torch.zeros(1, 5, 4, 1)):
        before = image.clone()
        changed = change_intensity(image, strength, rng())
        assert changed.shape == image.shape and changed.dtype == torch.float32 and torch.isfinite(changed).all()
        assert torch.equal(image, before)


def test_blur_keeps_a_constant_and_gamma_keeps_mean_and_spread() -> None:
    image = patch()[0]
    torch.testing.assert_close(blur(torch.full((1, *SIZE), 3.0), [1, 1, 1]), torch.full((1, *SIZE), 3.0))
    assert blur(image, [1, 1, 1]).std() < image.std()
    bent = gamma(image, torch.full((1, 1, 1, 1), 1.5))
    torch.testing.assert_close(torch.stack(torch.std_mean(bent)), torch.stack(torch.std_mean(image)))
    assert not torch.allclose(bent, image)
    assert coarsen(image, 1.0).allclose(image, atol=1e-5) and coarsen(image, 0.3).shape == image.shape


def test_a_failure_in_the_loaders_thread_is_told_and_an_abandoned_loader_ends_its_thread() -> None:
    class Broken(torch.utils.data.Dataset[int]):
        def __len__(self) -> int:
            return 50

        def __getitem__(self, index: int) -> int:
            if index == 40:
                raise OSError("gone")
            return index

    loader, threads = PrefetchLoader(Broken(), batch_size=4), torch.get_num_threads()
    batches = iter(loader)
    assert next(batches).tolist() == [0, 1, 2, 3]
    batches.close()  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="gone"):
        list(loader)
    assert torch.get_num_threads() == threads


def test_several_threads_give_the_batches_of_one_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Squares(torch.utils.data.Dataset[int]):
        def __len__(self) -> int:
            return 23

        def __getitem__(self, index: int) -> int:
            return index * index

    one = [batch.tolist() for batch in PrefetchLoader(Squares(), batch_size=4)]
    monkeypatch.setattr(prefetch, "makers", lambda _device: 5)
    assert [batch.tolist() for batch in PrefetchLoader(Squares(), batch_size=4)] == one
    assert [value for batch in one for value in batch] == [index * index for index in range(23)]
