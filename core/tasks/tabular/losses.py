"""What a tabular network's outputs are compared with: the outcome, smoothed or mixed, and a teacher's probabilities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def soft_targets(target: Tensor, classes: int, smoothing: float) -> Tensor:
    """Class codes (rows,) -> probabilities (rows, classes), a part `smoothing` of each spread over all."""
    return functional.one_hot(target, classes).float() * (1 - smoothing) + smoothing / classes


def cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of each row, averaged over members: logits (rows, members, classes), wanted (rows, classes) -> (rows,)."""
    return -(wanted[:, None] * logits.log_softmax(dim=-1)).sum(dim=-1).mean(dim=1)


def hard_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """As `cross_entropy`, for class codes (rows,), in fewer steps: on a small network they count."""
    rows, members = logits.shape[:2]
    if members == 1:
        return functional.cross_entropy(logits[:, 0], target, reduction="none")
    each = functional.cross_entropy(logits.flatten(0, 1), target.repeat_interleave(members), reduction="none")
    return each.view(rows, members).mean(dim=1)


def distillation(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Divergence from a teacher's softened probabilities (Hinton et al., arXiv 1503.02531): (rows,).

    The factor T^2 keeps its gradients as large as those of the outcome.
    """
    soft = (teacher.clamp_min(1e-6).log() / temperature).softmax(dim=-1)
    return temperature**2 * (cross_entropy(logits / temperature, soft) + (soft * soft.clamp_min(1e-12).log()).sum(-1))


def consistency(first: Tensor, second: Tensor) -> Tensor:
    """How far two noisy passes of the same rows differ, as a symmetric divergence: (rows,)."""
    one, two = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
    both = (one.exp() - two.exp()) * (one - two)
    return 0.5 * both.sum(dim=-1).mean(dim=1)


def mix(numbers: Tensor, codes: Tensor, wanted: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """MixUp (Zhang et al., arXiv 1710.09412): pairs of rows blended by a draw from Beta(alpha, alpha).

    Words cannot be blended: those of the heavier row stay.
    """
    share = torch.distributions.Beta(alpha, alpha).sample((len(numbers), 1)).to(numbers)
    share = torch.maximum(share, 1 - share)  # the row's own part is the larger one, so its words may stay
    other = torch.randperm(len(numbers), device=numbers.device)
    blended = share * numbers + (1 - share) * numbers[other]
    return blended, codes, share * wanted + (1 - share) * wanted[other]
