"""Boosted trees as a torch module: plain tensors that are saved with a network's weights, and no code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Trees(nn.Module):
    """Several ensembles of trees of one depth: rows (B, width) -> log odds (ensembles, B).

    Each tree is complete: what follows after node n lies at 2 n + 1, and at 2 n + 2 where the row's feature is at least
    the threshold. Rows hold no NaN.
    """

    feature: Tensor
    threshold: Tensor
    value: Tensor
    base: Tensor

    def __init__(self, ensembles: int, trees: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        inner, leaves = 2**depth - 1, 2**depth
        self.register_buffer("feature", torch.zeros(ensembles, trees, inner, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(ensembles, trees, inner))
        self.register_buffer("value", torch.zeros(ensembles, trees, leaves))
        self.register_buffer("base", torch.zeros(ensembles))

    @torch.no_grad()
    def forward(self, rows: Tensor) -> Tensor:
        return torch.stack([self._ensemble(rows, n) for n in range(len(self.base))])

    def _ensemble(self, rows: Tensor, number: int) -> Tensor:
        feature, threshold, value = self.feature[number], self.threshold[number], self.value[number]
        node = torch.zeros(len(rows), len(feature), dtype=torch.int64, device=rows.device)
        tree = torch.arange(len(feature), device=rows.device)
        for _ in range(self.depth):
            seen = rows.gather(1, feature[tree, node].clamp(0, rows.shape[1] - 1))
            node = 2 * node + 1 + (seen >= threshold[tree, node])
        return self.base[number] + value[tree, node - (2**self.depth - 1)].sum(1)

    @torch.no_grad()
    def take(self, number: int, trees: list[dict[str, Any]], base: float) -> None:
        """Give an ensemble the trees of XGBoost's JSON dump; a leaf above the last level answers for all below it."""
        self.base[number] = base
        for place, tree in enumerate(trees):
            self._fill(number, place, 0, tree)

    def _fill(self, number: int, tree: int, node: int, found: dict[str, Any]) -> None:
        inner = 2**self.depth - 1
        if node >= inner:
            self.value[number, tree, node - inner] = float(found["leaf"])
            return
        below = {child["nodeid"]: child for child in found.get("children", [])}
        if below:
            self.feature[number, tree, node] = int(str(found["split"]).removeprefix("f"))
            self.threshold[number, tree, node] = float(found["split_condition"])
        self._fill(number, tree, 2 * node + 1, below[found["yes"]] if below else found)
        self._fill(number, tree, 2 * node + 2, below[found["no"]] if below else found)
