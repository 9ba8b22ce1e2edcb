"""What speaks for a score: it adds up, lies where the score comes from, and comes from the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.models.risk.swin_fusion import SwinFusionConfig
from core.tasks.alzheimers.answering import Answerer
from core.tasks.alzheimers.attribution import attribute
from core.tasks.alzheimers.norms import Norms
from core.tasks.alzheimers.plan import RiskPlan, Value

SHAPE = (16, 16, 16)


def answerer(seed: int) -> Answerer:
    torch.manual_seed(seed)
    model = SwinFusionConfig(
        width=8, depths=[1, 1], heads=[1, 2], window=2, readout=4, clinical=8, fusion=8, cross_heads=2
    )
    plan = RiskPlan(
        shape=SHAPE, spacing_mm=(8.0, 8.0, 8.0), values=[Value(name=f"v{i}") for i in range(6)],
        cohort_sha256="0" * 64,
    )  # fmt: skip
    norms = Norms(np.zeros((2, *SHAPE), np.float32), np.ones(2, np.float32))
    return Answerer(model.build(SHAPE, 6), plan, norms, samples=4)


@pytest.fixture
def subject() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    mri, pet = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    return (mri, pet), rng.normal(size=6).astype(np.float32)


def test_all_parts_add_up_to_what_sets_the_score_apart_from_the_mean(subject) -> None:
    found = attribute(answerer(0), *subject, steps=64)
    assert sum(found.shares.values()) == pytest.approx(
        found.score - found.base, abs=0.05 * abs(found.score - found.base) + 1e-4
    )


def test_other_weights_give_another_map(subject) -> None:
    """The sanity check of Adebayo 2018 (arXiv 1810.03292): a map that random weights give too explains nothing."""
    one, same, other = (attribute(answerer(seed), *subject).maps["mri"] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.5


def test_a_part_that_is_missing_has_no_share(subject) -> None:
    (mri, _), clinical = subject
    clinical[2] = np.nan
    found = attribute(answerer(0), (mri, None), clinical)
    assert set(found.maps) == {"mri"}
    assert found.values[2] == 0
    assert np.abs(found.values).sum() > 0
