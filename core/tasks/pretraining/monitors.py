"""What tells whether representations are worth anything while they are learned: spread, rank, two readers."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.metrics.classification import auprc, auroc

Array = np.ndarray[Any, Any]
MOST_ROWS = 2_000


def spread(embedded: Array) -> float:
    """The mean standard deviation of a column, of rows scaled to the length sqrt(width): near 1, and 0 when collapsed.

    As in Chen & He, arXiv 2011.10566.
    """
    length = np.linalg.norm(embedded, axis=1, keepdims=True)
    scaled = embedded / np.maximum(length, 1e-12) * np.sqrt(embedded.shape[1])
    return float(scaled.std(axis=0).mean())


def effective_rank(embedded: Array) -> float:
    """How many directions are used: e to the entropy of the singular values (Roy & Vetterli, EUSIPCO 2007)."""
    rows = embedded[:MOST_ROWS].astype(np.float64)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    if values.sum() <= 0:
        return 0.0
    share = values / values.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def nearest(inputs: Array, outcome: Array, held_out: Array, truth: Array, neighbours: int = 50) -> dict[str, float]:
    """AUROC and AUPRC of the share of an outcome among the most alike training stays, by cosine; else as `probe`.

    Each counts by exp(likeness / 0.1), as in Wu et al., arXiv 1805.01978.
    """
    known, asked = outcome >= 0, truth >= 0
    target, answer = outcome[known] > 0.5, truth[asked] > 0.5
    if min(target.sum(), (~target).sum(), answer.sum(), (~answer).sum()) < 2:
        return {}
    x, z = inputs[known].astype(np.float32), held_out[asked].astype(np.float32)
    mean = x.mean(axis=0)
    x, z = (of / np.maximum(np.linalg.norm(of, axis=1, keepdims=True), 1e-9) for of in (x - mean, z - mean))
    alike = z @ x.T
    near = np.argpartition(-alike, min(neighbours, len(x)) - 1, axis=1)[:, :neighbours]
    weight = np.exp((np.take_along_axis(alike, near, 1) - 1) / 0.1)
    score = (weight * target[near]).sum(axis=1) / weight.sum(axis=1)
    return {"auroc": auroc(score, answer), "auprc": auprc(score, answer)}


def probe(inputs: Array, outcome: Array, held_out: Array, truth: Array) -> dict[str, float]:
    """AUROC and AUPRC of a ridge-penalised linear score; outcomes below 0 are not known and left out.

    {} where either side lacks an outcome of one kind.
    """
    known, asked = outcome >= 0, truth >= 0
    target, answer = outcome[known] > 0.5, truth[asked] > 0.5
    if min(target.sum(), (~target).sum(), answer.sum(), (~answer).sum()) < 2:
        return {}
    x, z = inputs[known].astype(np.float64), held_out[asked].astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, z = (x - mean) / scale, (z - mean) / scale
    # Of equal weight for both outcomes, so that the rare one is heard.
    weight = np.where(target, 0.5 / target.mean(), 0.5 / (1 - target.mean()))
    wanted = np.where(target, 1.0, -1.0)
    penalty = 0.1 * len(x)
    answer_to = np.linalg.solve(
        (x * weight[:, None]).T @ x + penalty * np.eye(x.shape[1]), (x * weight[:, None]).T @ wanted
    )
    score = z @ answer_to
    return {"auroc": auroc(score, answer), "auprc": auprc(score, answer)}
