from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from core.data.prepare import standardise
from core.imaging.volume import Source, Volume
from core.inference.likeness import FEWEST, Likeness, learn, unlike

SHAPE = (24, 30, 22)


def training_scan(seed: int) -> np.ndarray:
    """Brighter towards the top and the front, a bright ball in one corner, and noise."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    ball = (x + 0.4) ** 2 + (y - 0.3) ** 2 + (z - 0.2) ** 2 < 0.2 + rng.uniform(-0.03, 0.03)
    return (300 + 60 * z + 40 * y + 150 * ball + rng.normal(0, 12, SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def look() -> Likeness:
    images = [standardise(training_scan(seed)) for seed in range(30)]
    found = learn(images[:24], images[24:], lowest=100.0)
    assert found is not None
    return found


def codes(values: np.ndarray, look: Likeness, mirror_axes: str = "") -> list[str]:
    volume = Volume(values, np.eye(4), Source(Path("scan.nii"), "NIfTI-1"))
    return [finding.code for finding in unlike(standardise(values), look, volume, mirror_axes)]


def test_scans_like_the_training_are_not_warned_of(look: Likeness):
    assert [codes(training_scan(seed), look) for seed in range(100, 110)] == [[]] * 10
    assert codes(5 * training_scan(100) + 1000, look) == []  # a scanner's own units do not matter


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v: v[:, :, ::-1], "turned_over"),
        (lambda v: v[:, ::-1], "turned_over"),
        (lambda v: 700 - v, "contrast_swapped"),
        (lambda v: np.random.default_rng(0).normal(300, 40, v.shape).astype(np.float32), "region_unlike_training"),
        (
            lambda v: v + np.random.default_rng(0).normal(0, 80, v.shape).astype(np.float32),
            "brightness_unlike_training",
        ),
        (lambda v: np.where(v > 400, v, -1000).astype(np.float32), "looks_like_ct"),
    ],
)
def test_what_is_unlike_is_named(change, code: str, look: Likeness):
    assert code in codes(np.ascontiguousarray(change(training_scan(100))), look)


def test_a_mirrored_scan_is_fine_where_the_network_was_trained_with_mirroring(look: Likeness):
    mirrored = np.ascontiguousarray(training_scan(100)[::-1])
    assert codes(mirrored, look) != [] and codes(mirrored, look, "x") == []


def test_a_noisy_scan_is_called_noisy(look: Likeness):
    noisy = training_scan(100) + np.random.default_rng(0).normal(0, 80, SHAPE).astype(np.float32)
    volume = Volume(noisy, np.eye(4), Source(Path("scan.nii"), "NIfTI-1"))
    assert any("noisier" in finding.message for finding in unlike(standardise(noisy), look, volume))


def test_few_scans_tell_too_little():
    assert learn([standardise(training_scan(seed)) for seed in range(FEWEST - 1)], [], 0.0) is None


def test_lists_of_another_length_are_refused(look: Likeness):
    tree = look.model_dump()
    for key in ("mean", "pattern"):
        with pytest.raises(ValidationError):
            Likeness.model_validate({**tree, key: tree[key][:-1]})
    with pytest.raises(ValidationError):
        Likeness.model_validate({**tree, "correlation": [row[:-1] for row in tree["correlation"]]})
