"""The network's answers for subjects: a score, and how much it varies with dropout on, for any part of what is there.

The spread is that of Monte Carlo dropout (Gal & Ghahramani 2016, arXiv 1506.02142) in all that follows the encoders,
which therefore compute each image once; of several networks it is that among them too.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.control import JobControl
from core.tasks.alzheimers.norms import Norms
from core.tasks.alzheimers.plan import MODALITIES, RiskPlan

Array = np.ndarray[Any, Any]
Pair = tuple[Array | None, Array | None]

SEED = 2016  # every subject meets the same draws, so that an answer depends on nothing but the subject
# All ways in which something of a subject may be there, the most first.
SUBSETS = [
    frozenset(parts) for size in (3, 2, 1) for parts in itertools.combinations(MODALITIES, size)
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """score: 0..1. spread: the standard deviation of the sampled scores."""

    score: float
    spread: float


@dataclass(frozen=True, eq=False)
class Encoded:
    """A subject's tokens of both images and its standardised values; what is there of it."""

    tokens: Any
    clinical: Tensor
    parts: frozenset[str]


class Answerer:
    """A trained network with what it needs to take a subject's volumes and values as they come."""

    def __init__(self, network: Any, plan: RiskPlan, norms: Norms, samples: int, device: str = "cpu") -> None:
        self.network = network.eval().to(device)
        self.plan, self.norms, self.samples, self.device = plan, norms, samples, torch.device(device)

    def inputs(self, volumes: Pair, clinical: Array) -> tuple[Tensor, Tensor]:
        """Images (1, 2, x, y, z) and values (1, n) in standard deviations; clinical (n,) as the plan has it."""
        images = torch.from_numpy(self.norms.standardised(*volumes))[None].to(self.device)
        values = torch.from_numpy(self.plan.standardised(clinical[None])).to(self.device)
        return images, values

    @torch.inference_mode()
    def encode(self, volumes: Pair, clinical: Array) -> Encoded:
        """Raises nothing for what is missing: an absent image is None, an absent value NaN."""
        images, values = self.inputs(volumes, clinical)
        there = [volume is not None for volume in volumes]
        present = torch.tensor([there], device=self.device)
        tokens = self.network.encode(images[:, :1], images[:, 1:], present)
        known = bool(values.isfinite().any())
        parts = [name for name, is_there in zip(MODALITIES, [*there, known], strict=True) if is_there]
        return Encoded(tokens, values, frozenset(parts))

    @torch.inference_mode()
    def answer(self, subject: Encoded, parts: Collection[str] | None = None) -> Answer:
        """From those of "mri", "pet" and "clinical" that are there, or from fewer `parts` of them."""
        used = subject.parts if parts is None else subject.parts & frozenset(parts)
        kept = torch.tensor([["mri" in used, "pet" in used]], device=self.device)
        tokens = self.network.without(subject.tokens, kept)
        values = subject.clinical if "clinical" in used else torch.full_like(subject.clinical, torch.nan)
        score = float(self.network.fuse(tokens, values))
        return Answer(score, self._spread(tokens, values))

    def _spread(self, tokens: Any, values: Tensor) -> float:
        if self.samples < 2:
            return 0.0
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), self.network.sampling():
            torch.manual_seed(SEED)
            many = self.network.repeated(tokens, self.samples)
            return float(self.network.each(many, values.expand(self.samples, -1)).double().std())

    def answers(self, subjects: Iterable[tuple[Pair, Array]], control: JobControl) -> list[dict[str, Answer]]:
        """For each subject the answer from every part of what is there, by `plan.named`."""
        found = []
        for volumes, clinical in subjects:
            control.check()
            encoded = self.encode(volumes, clinical)
            found.append(self.all_parts(encoded))
        return found

    def all_parts(self, subject: Encoded) -> dict[str, Answer]:
        from core.tasks.alzheimers.plan import named

        return {named(parts): self.answer(subject, parts) for parts in SUBSETS if parts <= subject.parts}
