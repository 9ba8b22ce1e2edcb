"""The network of a fine-tuning: an encoder with a head, or several of them whose answers are averaged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.models.nets.stays import StayBatch, StayEncoder


class StayNetwork(nn.Module):
    """members: (B stays) -> (members, B, outputs). A frozen encoder is shared by all heads.

    frozen: the encoder answers as it is, without dropout and gradients.
    """

    def __init__(self, encoder: StayEncoder, head: Callable[[int], nn.Module], members: int, shared: bool) -> None:
        super().__init__()
        self.encoders = nn.ModuleList([encoder, *(copy.deepcopy(encoder) for _ in range(0 if shared else members - 1))])
        self.heads = nn.ModuleList(head(encoder.stay_width) for _ in range(members))
        self.frozen = False

    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> StayNetwork:
        super().train(mode)
        if self.frozen:
            self.encoders.eval()
        return self

    def forward(self, stays: StayBatch) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            vectors = [encoder(stays).stay for encoder in self.encoders]
        if len(vectors) == 1:
            vectors = vectors * len(self.heads)
        return torch.stack([head(vector) for head, vector in zip(self.heads, vectors, strict=True)])

    def groups(self, rate: float, decay: float) -> list[dict[str, Any]]:
        """Parameters with their learning rates: the heads' first, each layer's below smaller by `decay`."""
        found: list[dict[str, Any]] = [{"params": list(self.heads.parameters()), "lr": rate}]
        stacks: list[list[list[nn.Parameter]]] = [encoder.layers() for encoder in self.encoders]
        depth = len(stacks[0])
        for level in range(depth):
            params = [p for stack in stacks for p in stack[level] if p.requires_grad]
            if params:
                found.append({"params": params, "lr": rate * decay ** (depth - level)})
        return found


def build(encoder: Any, head: Any, task: Any, variables: int, static_width: int, outputs: int) -> StayNetwork:
    """The network of an experiment, with random weights."""
    return StayNetwork(
        encoder.build(variables, static_width), lambda width: head.build(width, outputs), task.members,
        shared=task.mode == "probe",
    )  # fmt: skip
