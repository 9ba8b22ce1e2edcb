"""What a risk network costs before any of it is made: parameters, operations, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.models.nets.swin import last_grid, patch_grid

ADAM_COPIES = 4  # of each weight: itself, its gradient, and two means


@dataclass(frozen=True)
class Description:
    """parameters, forward_flops (two for a multiplication and addition) of one subject, bytes of a training's weights.

    parts: the parameters of each part of the network. patches: of one image. tokens: of its last stage.
    """

    parameters: int
    parts: dict[str, int]
    patches: tuple[int, int, int]
    tokens: tuple[int, int, int]
    stages: list[int]
    forward_flops: int
    weight_bytes: int
    training_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For a person."""
        patches, tokens = (" x ".join(map(str, grid)) for grid in (self.patches, self.tokens))
        x, y, z = self.patches
        parts = ", ".join(f"{name.replace('_', ' ')} {count / 1e6:.2f} M" for name, count in self.parts.items())
        return [
            f"{self.parameters / 1e6:.2f} M parameters: {parts}",
            f"{patches} = {x * y * z:,} patches, {tokens} tokens in the last stage,"
            f" stages of {', '.join(map(str, self.stages))} channels",
            f"{self.forward_flops / 1e9:.1f} GFLOP for a subject",
            f"{self.weight_bytes / 1e6:.0f} MB of weights, {self.training_bytes / 1e6:.0f} MB with what AdamW keeps",
        ]


def describe(model: Any, shape: Sequence[int] = (91, 120, 91), features: int = 118) -> Description:
    """Of a `risk_model`'s configuration, for volumes of a shape and so many clinical values. Makes no weights."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from core.models.weights import without_memory

    network = without_memory(lambda: model.build(shape, features))
    # The members of an ensemble are alike.
    first, members = network.members[0], len(network.members)
    parts = {name: members * sum(p.numel() for p in child.parameters()) for name, child in first.named_children()}
    total = sum(p.numel() for p in network.parameters())
    parts = {**parts, "places": total - sum(parts.values())}
    network.train().requires_grad_(False)
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), counter:
        image = torch.empty(1, 1, *shape)
        network(image, image, torch.empty(1, features), torch.empty(1, 2, dtype=torch.bool))
    depth = len(model.stages)
    return Description(
        parameters=total, parts=parts, patches=patch_grid(shape), tokens=last_grid(shape, depth),
        stages=model.stages, forward_flops=int(counter.get_total_flops()), weight_bytes=4 * total,
        training_bytes=4 * ADAM_COPIES * total,
    )  # fmt: skip
