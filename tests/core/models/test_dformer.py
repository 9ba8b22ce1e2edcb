from __future__ import annotations

import pytest
import torch

from core.errors import ConfigError
from core.models.nets.dformer import Block, DFormer, Groups


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 4), (5, 6, 3), (9, 2, 1), (1, 1, 7)])
def test_grouped_tokens_come_back_to_their_places(shape: tuple[int, int, int], spread: bool) -> None:
    maps = torch.randn(2, *shape, 3)
    groups = Groups(shape, (4, 4, 2), spread=spread)
    assert torch.equal(groups.join(groups.split(maps)), maps)


def test_local_groups_are_neighbours_and_global_ones_span_the_volume() -> None:
    places = torch.arange(8.0).reshape(1, 8, 1, 1, 1)
    local, spread = (Groups((8, 1, 1), (4, 1, 1), spread=spread).split(places)[..., 0] for spread in (False, True))
    assert local.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert spread.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("shape", [(5, 8, 4), (8, 5, 4), (8, 8, 3)])
def test_padding_of_every_axis_is_never_attended_to(shape: tuple[int, int, int], spread: bool) -> None:
    """With equal tokens everywhere, attention gives every token the same; a padded one among them would show."""
    block = Block(8, 2, (4, 4, 2), spread=spread, mlp=2.0, dropout=0.0).eval()
    torch.nn.init.normal_(block.qkv.weight)
    mask = Groups(shape, (4, 4, 2), spread=spread).mask(2, torch.device("cpu"))
    assert mask is not None and int(mask.sum()) == 2 * shape[0] * shape[1] * shape[2]
    with torch.inference_mode():
        out = block(torch.randn(8).expand(2, *shape, 8))
    assert torch.allclose(out, out[:1, :1, :1, :1].expand_as(out), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (17, 9, 11)])
def test_any_size_is_taken(shape: tuple[int, int, int]) -> None:
    network = DFormer(
        1, 2, width=8, depths=[2, 1, 2], heads=[1, 2, 2], patch=(4, 4, 2), group=(4, 4, 2), mlp=2.0, dropout=0.0,
        checkpointing=False,
    )  # fmt: skip
    assert network(torch.randn(1, 1, *shape)).shape == (1, 2, *shape)


@pytest.mark.parametrize(
    "wrong", [{"heads": [5, 6, 12, 24]}, {"depths": [2, 2]}, {"patch": [0, 4, 2]}, {"group": [8, 8, 99]}]
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_built(wrong: dict[str, list[int]]) -> None:
    from core import config

    with pytest.raises(ConfigError, match="model"):
        config.parse({"model": {"name": "dformer", **wrong}})
