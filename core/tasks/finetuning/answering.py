"""A model's answers on stays: calibrated probabilities or numbers, their doubt, and what they hang on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.control import JobControl
from core.data.stays.batches import StayRows
from core.data.stays.coding import StayCoding
from core.data.stays.grid import grid
from core.data.stays.series import Stays
from core.metrics.calibration import tempered
from core.models.nets.stays import StayBatch
from core.tasks.finetuning.module import answers
from core.tasks.finetuning.package import StayManifest

Array = np.ndarray[Any, Any]
CHUNK = 256
PASSES = 32  # with dropout, for the doubt of few members
FEWEST_MEMBERS, DEVIATIONS = 5, 1.96  # whose spread tells a doubt, and how many of it
CONFIDENCE = 0.95


def rows_of(coding: StayCoding, stays: Stays) -> StayRows:
    return StayRows(coding, grid(coding, stays))


def answer_all(manifest: StayManifest, network: Any, rows: StayRows, control: JobControl | None = None) -> Array:
    """(stays, classes) or (stays, labels) calibrated probabilities, or (stays,) numbers in the outcome's own unit."""
    parts = []
    for start in range(0, len(rows), CHUNK):
        if control is not None:
            control.progress(start / len(rows), f"{start:,} of {len(rows):,} stays")
        parts.append(answer(manifest, network, rows.stays(torch.arange(start, min(start + CHUNK, len(rows))))))
    return np.concatenate(parts)


@torch.no_grad()
def answer(manifest: StayManifest, network: Any, stays: StayBatch) -> Array:
    """As `answer_all`, of one batch."""
    return calibrated(manifest, answers(network(stays), manifest.target), stays)


def calibrated(manifest: StayManifest, found: Array, stays: StayBatch) -> Array:
    """Raw answers as probabilities of all classes at the model's temperature for stays of that length; numbers as they
    are, and several labels at no temperature."""
    if manifest.target.kind == "regression" or manifest.target.kind == "multilabel":
        return found
    temperature = manifest.temperature * known_part(manifest, stays) ** manifest.cooling
    return tempered(np.stack([1 - found, found], axis=1) if found.ndim == 1 else found, temperature[:, None])


def known_part(manifest: StayManifest, stays: StayBatch) -> Array:
    """How much of the model's whole time is known of each stay, (stays,) up to 1."""
    return (~stays.padding).sum(1).cpu().numpy() / manifest.coding.steps


@torch.no_grad()
def doubt(manifest: StayManifest, network: Any, stays: StayBatch) -> tuple[Array, Array]:
    """The lower and upper end of each answer, shaped as `answer`: where the model's own answers lie in 95 of 100 cases.

    Of probabilities: 1.96 deviations of the log odds of several members, which tells what other training
    stays would have answered where each member weighed them at random; else with random parts of the network
    left out (Gal & Ghahramani, arXiv 1506.02142). It knows of no other doubt. Of numbers: as far off as 95 of 100
    validation stays were.
    """
    point = answer(manifest, network, stays)
    if manifest.target.kind == "regression":
        return point - manifest.error, point + manifest.error
    if manifest.members >= FEWEST_MEMBERS:
        each = [calibrated(manifest, answers(member[None], manifest.target), stays) for member in network(stays)]
        odds = _log_odds(np.stack(each))
        off = DEVIATIONS * odds.std(axis=0, ddof=1)
        low, high = (1 / (1 + np.exp(-(_log_odds(point) + way * off))) for way in (-1, 1))
        return np.asarray(low), np.asarray(high)
    drawn = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()
        try:
            for _ in range(-(-PASSES // manifest.members)):
                found = network(stays)
                drawn += [calibrated(manifest, answers(member[None], manifest.target), stays) for member in found]
        finally:
            network.eval()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.stack(drawn), (tail, 1 - tail), axis=0)
    return np.minimum(low, point), np.maximum(high, point)


def one_number(manifest: StayManifest, found: Array, which: int) -> Array:
    """What an explanation is of, (rows,): log odds of the class or label `which`, or the number itself."""
    if manifest.target.kind == "regression":
        return found
    return _log_odds(found[:, which])


def _log_odds(p: Array) -> Array:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def course(manifest: StayManifest, network: Any, stays: StayBatch) -> tuple[Array, Array, Array, Array]:
    """One stay's answer as it would have been after each step: hours, answers, and their lower and upper ends."""
    steps = int((~stays.padding[0]).sum())
    ends = torch.arange(1, steps + 1)
    batch = StayBatch(*(of.expand(steps, *of.shape[1:]) for of in stays)).ended(ends)
    low, high = doubt(manifest, network, batch)
    return ends.numpy() * manifest.coding.step_hours, answer(manifest, network, batch), low, high


def contributions(manifest: StayManifest, network: Any, stays: StayBatch, which: int) -> tuple[Array, Array]:
    """How much each variable (variables,) and each step (steps,) moves one stay's answer, by leaving it out.

    In log odds, or the number's unit; positive: it raises the answer. What was not measured moves nothing.
    """
    steps, variables = stays.values.shape[1:]
    kept = torch.ones(1 + variables + steps, steps, variables, dtype=torch.bool)
    kept[1 + torch.arange(variables), :, torch.arange(variables)] = False
    kept[1 + variables + torch.arange(steps), torch.arange(steps)] = False
    count = len(kept)
    batch = StayBatch(
        stays.values * kept, stays.observed & kept, stays.padding.expand(count, -1), stays.times.expand(count, -1),
        stays.statics.expand(count, -1),
    )  # fmt: skip
    found = one_number(manifest, answer(manifest, network, batch), which)
    moved = found[0] - found[1:]
    return moved[:variables], moved[variables:]
