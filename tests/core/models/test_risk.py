"""The risk network: any part may be missing, and each counts while it is there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.errors import ConfigError
from core.models.nets.risk import RiskNetwork
from core.models.risk.swin_fusion import SwinFusionConfig

SHAPE, VALUES = (16, 20, 16), 5


@pytest.fixture
def network() -> RiskNetwork:
    torch.manual_seed(0)
    config = SwinFusionConfig(
        width=8, depths=[1, 1], heads=[1, 2], window=3, clinical=8, fusion=8, cross_heads=2, dropout=0.2
    )
    return config.build(SHAPE, VALUES).eval()


def batch(count: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return (
        torch.randn(count, 1, *SHAPE), torch.randn(count, 1, *SHAPE), torch.randn(count, VALUES),
        torch.ones(count, 2, dtype=torch.bool),
    )  # fmt: skip


def test_a_score_lies_between_0_and_1_and_begins_where_it_is_told(network: RiskNetwork) -> None:
    network.begin_at(0.3)
    scores = network(*batch())
    assert scores.shape == (2,)
    assert ((scores - 0.3).abs() < 0.1).all()


@pytest.mark.parametrize("absent", [0, 1])
def test_what_stands_in_an_absent_image_counts_for_nothing(network: RiskNetwork, absent: int) -> None:
    images = list(batch())
    images[3][:, absent] = False
    before = network(*images)
    images[absent] = torch.randn_like(images[absent])
    assert torch.equal(network(*images), before)


def test_each_part_counts(network: RiskNetwork) -> None:
    parts = batch()
    before = network(*parts)
    for place in range(3):
        other = list(parts)
        other[place] = torch.randn_like(other[place])
        assert not torch.allclose(network(*other), before, atol=1e-6)


def test_the_mri_asks_the_pet_and_the_pet_asks_the_mri(network: RiskNetwork) -> None:
    mri, pet, _, present = batch()
    tokens = network.encode(mri, pet, present)
    other = network.encode(torch.randn_like(mri), torch.randn_like(pet), present)
    seen = network.cross[0](*tokens[:2])
    assert not torch.allclose(network.cross[0](tokens[0], other[1])[0], seen[0], atol=1e-6)
    assert not torch.allclose(network.cross[0](other[0], tokens[1])[1], seen[1], atol=1e-6)


def test_any_part_that_is_there_gives_a_number(network: RiskNetwork) -> None:
    mri, pet, clinical, _present = batch(1)
    for number in range(1, 8):
        there = torch.tensor([[bool(number & 1), bool(number & 2)]])
        values = clinical if number & 4 else torch.full_like(clinical, torch.nan)
        assert network(mri, pet, values, there).isfinite().all()


def test_one_subject_is_answered_alike_alone_and_among_others(network: RiskNetwork) -> None:
    parts = batch(3)
    parts[3][1, 1] = False
    together = network(*parts)
    alone = network(*(part[1:2] for part in parts))
    assert torch.allclose(alone[0], together[1], atol=1e-5)


def test_without_an_image_is_as_if_it_were_absent(network: RiskNetwork) -> None:
    mri, pet, clinical, present = batch()
    absent = present.clone()
    absent[:, 1] = False
    tokens = network.without(network.encode(mri, pet, present), absent)
    assert torch.allclose(network.fuse(tokens, clinical), network(mri, pet, clinical, absent), atol=1e-6)


def test_sampling_varies_what_follows_the_encoders_and_ends_with_its_block(network: RiskNetwork) -> None:
    parts = batch()
    tokens = network.encode(parts[0], parts[1], parts[3])
    with network.sampling():
        assert not torch.equal(network.fuse(tokens, parts[2]), network.fuse(tokens, parts[2]))
        assert torch.equal(network.encode(parts[0], parts[1], parts[3])[0], tokens[0])
    assert torch.equal(network.fuse(tokens, parts[2]), network.fuse(tokens, parts[2]))


def test_the_sizes_are_those_that_are_asked_for() -> None:
    config = SwinFusionConfig()
    from core.models.weights import without_memory

    network = without_memory(lambda: config.build((91, 120, 91), 118))
    assert config.stages == [96, 192, 384, 768]
    assert network.clinical.layers[3].out_features == 128
    assert network.fusion[0].out_features == 256


def test_heads_that_do_not_divide_their_features_are_refused() -> None:
    from core import config

    with pytest.raises(ConfigError, match="heads do not divide"):
        config.parse({"task": "alzheimers", "model": {"name": "swin_fusion", "heads": [5, 6, 12, 24]}})


def test_several_networks_answer_with_their_mean_and_differ_among_themselves() -> None:
    torch.manual_seed(0)
    config = SwinFusionConfig(
        width=8, depths=[1, 1], heads=[1, 2], window=3, clinical=8, fusion=8, cross_heads=2, members=3
    )
    several = config.build(SHAPE, VALUES).eval()
    mri, pet, clinical, present = batch()
    tokens = several.encode(mri, pet, present)
    each = several.each(tokens, clinical)
    assert each.shape == (3, 2)
    assert torch.allclose(several(mri, pet, clinical, present), each.mean(dim=0))
    assert (each.std(dim=0) > 0).all()
    assert torch.allclose(several.members[1](mri, pet, clinical, present), each[1])
    with several.sampling():
        copies = several.repeated(several.encode(mri[:1], pet[:1], present[:1]), 5)
        assert several.each(copies, clinical[:1].expand(5, -1)).std(dim=1).min() > 0
