"""The steps of training: the learning rate that is found, gradients that are clipped, the quick loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core import config
from core.control import JobControl
from core.tasks.tabular.data import Rows
from core.tasks.tabular.losses import cross_entropy, hard_cross_entropy, soft_targets
from core.tasks.tabular.lr_finder import LOST, _steepest, find_rate
from core.tasks.tabular.module import TableModule


@pytest.fixture
def module():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 6)).astype(np.float32)
    target = (numbers[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(np.int64)
    experiment = config.parse({"task": "tabular", "model": {"name": "mlp", "hidden": [32]}})
    torch.manual_seed(0)
    network = experiment.model.build(6, [], 2)
    return TableModule(experiment, network, Rows.of(numbers, np.zeros((300, 0), np.int64), target), None, 2)


def test_the_rate_lies_where_the_loss_falls_and_nothing_else_changes(module):
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    draw = torch.random.get_rng_state()
    curve = find_rate(module, 64, 0, JobControl())
    assert 1e-5 < curve.chosen < 0.3
    place = curve.rates.index(curve.chosen)
    assert curve.losses[place + 5] < curve.losses[place] < curve.losses[0]
    assert max(curve.losses) <= LOST * min(curve.losses)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.network.state_dict().items())
    assert torch.equal(draw, torch.random.get_rng_state())
    assert find_rate(module, 64, 0, JobControl()) == curve


def test_no_rate_is_chosen_where_the_loss_never_falls(module):
    rates = np.geomspace(1e-6, 1, 60)
    assert _steepest(rates, list(np.linspace(1, 2, 60))) is None
    assert _steepest(rates[:5], [5.0, 4.0, 3.0, 2.0, 1.0]) is None  # too few steps to tell


@pytest.mark.parametrize(
    ("by", "limit"), [("norm", lambda g: g.norm() <= 0.0101), ("value", lambda g: g.abs().max() <= 0.01)]
)
def test_gradients_are_clipped_as_asked_for(module, by, limit):
    trainer = module.experiment.trainer.model_copy(update={"gradient_clip": 0.01, "gradient_clip_by": by})
    module.experiment = module.experiment.model_copy(update={"trainer": trainer})
    module.loss_of(torch.arange(64)).backward()
    gradient = torch.cat([p.grad.flatten() for p in module.network.parameters()])
    assert not limit(gradient)
    module.clip(list(module.network.parameters()))
    assert limit(torch.cat([p.grad.flatten() for p in module.network.parameters()]))


@pytest.mark.parametrize("members", [1, 3])
def test_the_quick_loss_of_plain_outcomes_is_that_of_soft_ones(members):
    logits, target = torch.randn(20, members, 4), torch.arange(20) % 4
    torch.testing.assert_close(
        hard_cross_entropy(logits, target), cross_entropy(logits, soft_targets(target, 4, smoothing=0.0))
    )
