"""What is drawn in training: alike for the same seed, never touching what is missing."""

from __future__ import annotations

import numpy as np
import torch

from core.tasks.alzheimers.data import ShuffledRows, changed
from core.tasks.alzheimers.module import figures, hide
from core.tasks.alzheimers.norms import fit_norms, read_norms
from core.tasks.alzheimers.settings import RiskAugmentConfig


def test_hiding_leaves_each_subject_something_that_it_has() -> None:
    torch.manual_seed(0)
    count = 500
    present = torch.rand(count, 2) < 0.5
    clinical = torch.randn(count, 4).masked_fill(torch.rand(count, 1) < 0.5, torch.nan)
    there = torch.cat([present, clinical.isfinite().any(1, keepdim=True)], 1)
    kept, values = hide({"present": present, "clinical": clinical}, 0.6)
    left = torch.cat([kept, values.isfinite().any(1, keepdim=True)], 1)
    assert not (left & ~there).any()
    assert (left.any(1) == there.any(1)).all()
    assert 0.3 < left[there].float().mean() < 0.7


def test_nothing_is_hidden_at_a_chance_of_0() -> None:
    batch = {"present": torch.tensor([[True, False]]), "clinical": torch.tensor([[1.0, torch.nan]])}
    present, clinical = hide(batch, 0.0)
    assert present is batch["present"]
    assert clinical is batch["clinical"]


def test_changes_are_drawn_by_their_generator_alone() -> None:
    images, clinical = np.random.default_rng(0).normal(size=(2, 6, 6, 6)).astype(np.float32), np.ones(9, np.float32)
    one, again, other = (changed(images, clinical, RiskAugmentConfig(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one[0], again[0])
    assert not np.array_equal(one[0], other[0])
    assert one[0].shape == images.shape
    assert one[0].dtype == np.float32


def test_an_epoch_takes_each_row_once_in_an_order_of_its_own() -> None:
    order = ShuffledRows([3, 5, 8, 9, 11], seed=0)
    first = [row for _, row in order]
    order.set_epoch(1)
    second = list(order)
    assert sorted(first) == [3, 5, 8, 9, 11] == sorted(row for _, row in second)
    assert first != [row for _, row in second]
    assert {epoch for epoch, _ in second} == {1}


def test_norms_are_those_of_the_volumes_that_are_there_and_come_back_from_their_file(tmp_path) -> None:
    rng = np.random.default_rng(0)
    mris = rng.normal(3, 2, (40, 6, 6, 6)).astype(np.float32)
    norms = fit_norms([(mri, None if i else 5 * mri) for i, mri in enumerate(mris)], (6, 6, 6))
    shown = np.stack([norms.standardised(mri, None)[0] for mri in mris])
    assert abs(shown.mean()) < 1e-2
    assert abs(shown.std() - 1) < 0.05
    back = read_norms(norms.save(), (6, 6, 6), tmp_path)
    assert np.array_equal(back.mean, norms.mean)
    assert np.array_equal(back.spread, norms.spread)


def test_metrics_of_a_split_of_one_side_have_no_auc() -> None:
    scores, target = np.array([0.1, 0.2, 0.4]), np.array([0.1, 0.2, 0.3])
    assert "auroc" not in figures(scores, target, 0.5)
    assert figures(scores, target, 0.25)["auroc"] == 1.0
