"""How good a model is early: its figures, calibration and intervals where stays are cut short."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from core.control import JobControl
from core.data.stays.batches import StayRows
from core.metrics import curves
from core.metrics.calibration import tempered
from core.metrics.classification import log_loss
from core.models.nets.stays import StayBatch
from core.tasks.finetuning.answering import CHUNK, answer, doubt, known_part
from core.tasks.finetuning.module import figures
from core.tasks.finetuning.package import StayManifest

Array = np.ndarray[Any, Any]
HOURS = (6.0, 12.0, 24.0)
GROUPS = 10  # of stays of like risk
MOST_DOUBTED = 1_000  # stays whose intervals are checked


def measure_by_hour(
    manifest: StayManifest, network: Any, rows: StayRows, value: Array, control: JobControl | None = None, *,
    intervals: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Figures of what would have been answered from what was known after 6, 12 and 24 hours, and at the end.

    Of each: "hours", "metrics"; of yes or no "calibration" with the slope and intercept of the log odds, and the mean
    risk beside the share that it came true for; with `intervals` "doubt": how wide they are, and what they hold. Of a
    number that is the share of the truths; of yes or no the groups of like risk whose share, as far as it is known (95
    %), meets the mean interval.
    """
    whole = manifest.coding.steps * manifest.coding.step_hours
    found = []
    for hours in (*(h for h in HOURS if h < whole), whole):
        if control is not None:
            control.progress(None, f"As it was after {hours:g} h")
        parts = [
            answer(manifest, network, until(manifest, rows, chunk, hours))
            for chunk in torch.arange(len(rows)).split(CHUNK)
        ]
        answered = np.concatenate(parts)
        told: dict[str, Any] = {
            "hours": hours, "metrics": figures(answered, value, manifest.target, threshold=manifest.threshold),
        }  # fmt: skip
        if manifest.target.kind == "binary":
            curve = curves.calibration(answered[:, 1], value, GROUPS, equal="rows")
            told["calibration"] = {
                "slope": curve.slope, "intercept": curve.intercept, "mean": float(answered[:, 1].mean()),
                "observed": float(value.mean()),
            }  # fmt: skip
        if intervals and manifest.target.kind in ("binary", "regression"):
            told["doubt"] = _doubts(manifest, network, rows, value, answered, hours, control)
        found.append(told)
    return found


def fit_cooling(manifest: StayManifest, network: Any, rows: StayRows, value: Array) -> float:
    """The manifest's `cooling` of lowest log-loss over validation stays as they were at several hours.

    0 for what has no temperature.
    """
    if manifest.target.kind not in ("binary", "multiclass"):
        return 0.0
    plain = manifest.model_copy(update={"temperature": 1.0, "cooling": 0.0})
    raw, part = [], []
    for hours in (*HOURS, manifest.coding.steps * manifest.coding.step_hours):
        for chunk in torch.arange(len(rows)).split(CHUNK):
            stays = until(plain, rows, chunk, hours)
            raw.append(answer(plain, network, stays))
            part.append(known_part(plain, stays))
    answered, known = np.concatenate(raw), np.concatenate(part)
    target = np.tile(value.astype(int), len(HOURS) + 1)

    def loss(cooling: float) -> float:
        return log_loss(tempered(answered, (manifest.temperature * known**cooling)[:, None]), target)

    found = minimize_scalar(loss, bounds=(-1.0, 1.0), method="bounded")
    return float(found.x) if loss(found.x) < loss(0.0) else 0.0


def until(manifest: StayManifest, rows: StayRows, chosen: torch.Tensor, hours: float) -> StayBatch:
    """Some stays as they were known after so many hours: whole steps only."""
    stays = rows.stays(chosen)
    steps = max(int(hours / manifest.coding.step_hours + 1e-6), 1)
    return stays.ended((~stays.padding).sum(1).clamp_max(steps))


def _doubts(
    manifest: StayManifest, network: Any, rows: StayRows, value: Array, answered: Array, hours: float,
    control: JobControl | None,
) -> dict[str, float]:  # fmt: skip
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST_DOUBTED)).astype(np.int64)
    ends = []
    for chunk in torch.from_numpy(chosen).split(CHUNK):
        if control is not None:
            control.check()
        ends.append(doubt(manifest, network, until(manifest, rows, chunk, hours)))
    low, high = (np.concatenate(end) for end in zip(*ends, strict=True))
    truth = value[chosen]
    if manifest.target.kind == "regression":
        own = truth * manifest.target.scale + manifest.target.mean
        return {"width": float((high - low).mean()), "held": float(((own >= low) & (own <= high)).mean())}
    low, high = low[:, 1], high[:, 1]
    order = np.argsort(answered[chosen, 1], kind="stable")
    met = []
    for group in np.array_split(order, min(GROUPS, len(order))):
        least, most = curves.wilson(truth[group].mean(), np.array(len(group)))
        met.append(bool(least <= high[group].mean() and most >= low[group].mean()))
    return {"width": float((high - low).mean()), "held": float(np.mean(met))}
