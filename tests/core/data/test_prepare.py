from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from core.data.plan import Label, Plan
from core.data.prepare import prepare, prepare_labels, restore_labels, restore_probabilities, standardise
from core.imaging.volume import Source, Volume


def plan(spacing: float = 1.0) -> Plan:
    labels = [Label(value=3, name="a"), Label(value=7, name="b")]
    return Plan(spacing_mm=(spacing,) * 3, patch_size=(8, 8, 8), labels=labels)


def volume(voxels: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    return Volume(voxels, np.eye(4) if affine is None else affine, Source(Path("made.nii"), "NIfTI-1"))


def axis_orders() -> list[np.ndarray]:
    """The 48 affines of axis orders and flips."""
    affines = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = 0
            for native, (world, sign) in enumerate(zip(order, signs, strict=True)):
                affine[world, native] = sign
            affines.append(affine)
    return affines


@pytest.mark.parametrize("affine", axis_orders())
def test_labels_come_back_bit_identical_in_every_axis_order(affine: np.ndarray) -> None:
    labels = np.random.default_rng(0).choice([0, 3, 7], size=(5, 6, 7)).astype(np.uint8)
    scan = volume(labels, affine)
    back = restore_labels(prepare_labels(scan, plan()), prepare(scan, plan()), plan())
    assert back.dtype == np.uint8 and np.array_equal(back, labels)


@pytest.mark.parametrize("affine", axis_orders())
def test_network_always_sees_right_anterior_superior(affine: np.ndarray) -> None:
    ramp = np.fromfunction(lambda *ijk: sum(a * i for a, i in zip(affine[0, :3], ijk, strict=True)), (5, 6, 7))
    image = prepare(volume(ramp.astype(np.float32), affine), plan()).image[0]
    assert (np.diff(image, axis=0) > 0).all() and np.allclose(np.diff(image, axis=1), 0, atol=1e-5)


def test_resampled_probabilities_return_to_the_scan_grid() -> None:
    scan = volume(np.random.default_rng(0).normal(size=(10, 12, 4)).astype(np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))
    prepared = prepare(scan, plan())
    assert prepared.image.shape == (1, 10, 12, 12)
    probabilities = np.zeros((3, 10, 12, 12), np.float32)
    probabilities[1, :, :, :6] = probabilities[0, :, :, 6:] = 1
    back = restore_labels(restore_probabilities(probabilities, prepared).argmax(axis=0), prepared, plan())
    assert back.shape == (10, 12, 4)
    assert (back[..., :2] == 3).all() and (back[..., 2:] == 0).all()


def test_constant_and_non_finite_images_stay_finite() -> None:
    assert not standardise(np.full((4, 4, 4), 7.0, np.float32)).any()
    image = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    image[0, 0, 0], image[3, 3, 3] = np.nan, np.inf
    assert np.isfinite(standardise(image)).all()
    assert not standardise(np.full((4, 4, 4), np.nan, np.float32)).any()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_standardised_image_does_not_depend_on_the_scanner_scale(scale: float) -> None:
    image = np.random.default_rng(0).normal(10, 2, (8, 8, 8)).astype(np.float32)
    assert np.allclose(standardise(image * np.float32(scale)), standardise(image), atol=1e-3)
