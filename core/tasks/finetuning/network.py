"""The network of a fine-tuning: an encoder with a head, or several of them whose answers are averaged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from core.models.nets.clinical import Clinical
from core.models.nets.stays import StayBatch, StayEncoder, described, whole_share
from core.models.nets.trees import Trees


class StayNetwork(nn.Module):
    """members: (B stays) -> (members, B, outputs). A frozen encoder is shared by all heads.

    frozen: the encoder answers as it is, without dropout and gradients. trees: on the plain statistics of a stay; each
    member's log odds are then the mean of its head's and of an ensemble's. early: the second half of the ensembles is
    for stays that have just begun; from half the time on the first half counts more and more. clinical: what heads and
    trees see besides.
    """

    def __init__(
        self, encoder: StayEncoder, head: Callable[[int, int], nn.Module], members: int, shared: bool,
        trees: Trees | None = None, early: bool = False, clinical: Clinical | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.trees, self.early, self.clinical = trees, early, clinical
        self.stay_width = encoder.stay_width
        self.encoders = nn.ModuleList([encoder, *(copy.deepcopy(encoder) for _ in range(0 if shared else members - 1))])
        plain = encoder.facts_width + (0 if clinical is None else Clinical.WIDTH)
        self.heads = nn.ModuleList(head(encoder.stay_width, plain) for _ in range(members))
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
        encoded = self.encode(stays)
        return self.blended(self.answer(encoded), encoded)

    def plain(self, stays: StayBatch) -> Tensor:
        """What the trees see of stays, (B, width)."""
        return self._with_clinical(described(stays), stays)

    def blended(self, outputs: Tensor, encoded: list[Tensor]) -> Tensor:
        """The heads' outputs with what the trees say, where there are any."""
        if self.trees is None:
            return outputs
        rows = encoded[0][:, self.stay_width :]
        grown = self.trees(rows)
        if self.early:
            time: Any = self.heads[0][0]
            part = whole_share((rows[:, -1] - time.center[-1]) / time.scale[-1])
            late, begun = grown.chunk(2)
            grown = part * late + (1 - part) * begun
        place = torch.arange(len(outputs), device=outputs.device) % len(grown)
        return (outputs + grown[place][..., None]) / 2

    def encode(self, stays: StayBatch) -> list[Tensor]:
        """What each head sees, (B, width) each; one for all where they share an encoder."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return [self._with_clinical(encoder(stays).whole, stays) for encoder in self.encoders]

    def _with_clinical(self, rows: Tensor, stays: StayBatch) -> Tensor:
        """The last column, the time, stays the last."""
        if self.clinical is None:
            return rows
        return torch.cat([rows[:, :-1], self.clinical(stays), rows[:, -1:]], dim=1)

    @torch.no_grad()
    def standardise(self, batches: Iterable[StayBatch]) -> None:
        """Fit what the heads standardise by to training stays as the encoders describe them now."""
        training = self.training
        self.eval()
        parts = [self.encode(stays) for stays in batches]
        rows = [torch.cat(of) for of in zip(*parts, strict=True)]
        for head, of in zip(self.heads, rows * (len(self.heads) if len(rows) == 1 else 1), strict=True):
            head[0].fit(of)
        self.train(training)

    def answer(self, encoded: list[Tensor]) -> Tensor:
        each = encoded * len(self.heads) if len(encoded) == 1 else encoded
        return torch.stack([head(vector) for head, vector in zip(self.heads, each, strict=True)])

    def groups(self, rate: float, decay: float) -> list[dict[str, Any]]:
        """Parameters with their learning rates: the heads' first, each layer's below smaller by `decay`."""
        weights = [p for p in self.heads.parameters() if p.ndim > 1]
        # A bias is how common an outcome is: pulled towards zero, every risk of a rare one would be too high.
        biases = [p for p in self.heads.parameters() if p.ndim < 2]
        found: list[dict[str, Any]] = [
            {"params": weights, "lr": rate}, {"params": biases, "lr": rate, "weight_decay": 0.0}
        ]  # fmt: skip
        stacks: list[list[list[nn.Parameter]]] = [encoder.layers() for encoder in self.encoders]
        depth = len(stacks[0])
        for level in range(depth):
            params = [p for stack in stacks for p in stack[level] if p.requires_grad]
            if params:
                found.append({"params": params, "lr": rate * decay ** (depth - level)})
        return found
