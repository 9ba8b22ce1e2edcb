from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from core.imaging.geometry import index_to_ras_mm, orientation_codes, to_canonical

ALL_48 = list(product(permutations(range(3)), product((1.0, -1.0), repeat=3)))


def affine_of(order: tuple[int, ...], signs: tuple[float, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * (0.9, 1.1, 2.0)[axis]
    affine[:3, 3] = (-31.0, 12.0, 7.5)
    return affine


@pytest.mark.parametrize(("order", "signs"), ALL_48)
def test_canonical_turn_is_exact_and_invertible_in_all_48_orientations(order, signs):
    affine = affine_of(order, signs)
    native = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    turn = to_canonical(affine)
    canonical = turn.apply(native)
    canonical_affine = turn.affine(affine, (4, 5, 6))

    assert orientation_codes(canonical_affine) == "RAS"
    np.testing.assert_array_equal(turn.invert(canonical), native)
    # Every voxel keeps its place in the patient.
    for index in product(range(4), range(5), range(6)):
        point = index_to_ras_mm(affine, np.array(index))
        there = np.rint(np.linalg.solve(canonical_affine, [*point, 1]))[:3].astype(int)
        assert canonical[tuple(there)] == native[index]


@pytest.mark.parametrize(("order", "signs"), ALL_48[::7])
def test_time_axis_stays_last_when_turned(order, signs):
    native = np.arange(4 * 5 * 6 * 2).reshape(4, 5, 6, 2)
    turn = to_canonical(affine_of(order, signs))
    assert turn.apply(native).shape[3] == 2
    np.testing.assert_array_equal(turn.invert(turn.apply(native)), native)


def test_axis_codes_are_nibabels_for_any_rotation_and_shear():
    rng = np.random.default_rng(11)
    for _ in range(300):
        affine = np.eye(4)
        affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.3, 5, 3)
        affine[:3, :3] += rng.normal(scale=0.1, size=(3, 3))
        assert orientation_codes(affine) == "".join(nib.aff2axcodes(affine))
