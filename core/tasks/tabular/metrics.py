"""How good probabilities or values are, over a whole split."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BINS = 10


def figures(outputs: Array, target: Array) -> dict[str, float]:
    """Metrics by name. outputs: probabilities (rows, classes) with class codes, or values (rows, 1) with values.

    loss is the log-loss, or the mean squared error. auroc and auprc are of the second class where there are two, else
    means over classes, one against the rest, of those classes that are there. brier is over all classes; ece is the
    expected calibration error of the most probable class in ten bins (Guo et al., arXiv 1706.04599).
    """
    return _regression(outputs[:, 0], target) if outputs.shape[1] == 1 else _classification(outputs, target)


def _classification(outputs: Array, target: Array) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    classes = outputs.shape[1]
    chosen = outputs.argmax(axis=1)
    right = np.clip(outputs[np.arange(len(target)), target], 1e-15, 1)
    wanted = np.eye(classes)[target]
    found = {
        "loss": float(-np.log(right).mean()),
        "accuracy": float((chosen == target).mean()),
        "f1": float(f1_score(target, chosen, average="binary" if classes == 2 else "macro", zero_division=0)),
        "brier": float(((outputs - wanted) ** 2).sum(axis=1).mean()),
        "ece": calibration_error(outputs, target),
    }
    there = [c for c in ([1] if classes == 2 else range(classes)) if 0 < (target == c).sum() < len(target)]
    if there:
        found["auroc"] = float(np.mean([roc_auc_score(target == c, outputs[:, c]) for c in there]))
        found["auprc"] = float(np.mean([average_precision_score(target == c, outputs[:, c]) for c in there]))
    return found


def calibration_error(outputs: Array, target: Array) -> float:
    """The mean gap between the most probable class's probability and how often it is right, over ten equal bins."""
    sure, right = outputs.max(axis=1), outputs.argmax(axis=1) == target
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(sum(gaps))


def _regression(values: Array, target: Array) -> dict[str, float]:
    from scipy.stats import pearsonr

    error = values - target
    spread = float(((target - target.mean()) ** 2).sum())
    varied = len(target) > 1 and np.ptp(values) > 0 and spread > 0
    return {
        "loss": float((error**2).mean()),
        "mse": float((error**2).mean()),
        "mae": float(np.abs(error).mean()),
        "r2": float(1 - (error**2).sum() / spread) if spread else 0.0,
        "pearson": float(pearsonr(values, target).statistic) if varied else 0.0,
    }
