"""The network's raw answers over a whole image: windows of one size, blended with given weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from core.control import JobControl
from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]


def blended(
    runtime: Runtime, image: Array, size: Sequence[int], places: Sequence[Sequence[int]], weights: Array,
    flips: Sequence[tuple[int, ...]], control: JobControl,
) -> Array:  # fmt: skip
    """(channels, x, y, z) at least a window large -> (outputs, x, y, z) float32.

    places: where windows begin, for each axis. weights: of a window's voxels, none of them 0. flips: the mirrorings
    to average over, as dimensions of the image with its channels.
    """
    corners = list(product(*places))
    weight = np.zeros(image.shape[1:], np.float32)
    total: Array = np.zeros(0, np.float32)
    for done, corner in enumerate(corners):
        at = tuple(slice(start, start + side) for start, side in zip(corner, size, strict=True))
        window = image[(slice(None), *at)]
        summed: Any = 0.0
        for turn, dims in enumerate(flips):
            control.progress((done * len(flips) + turn) / (len(corners) * len(flips)), "Predicting")
            answer = runtime(np.ascontiguousarray(np.flip(window, dims), np.float32))
            summed = summed + (np.flip(answer, dims) if dims else answer)
        if done == 0:
            total = np.zeros((len(summed), *weight.shape), np.float32)
        total[(slice(None), *at)] += summed / len(flips) * weights
        weight[at] += weights
    total /= weight
    return total


def padded(image: Array, size: Sequence[int], value: float = 0.0) -> tuple[Array, tuple[slice, ...]]:
    """The image padded on both sides to at least a window, and where it lies in that."""
    missing = [max(w - n, 0) for n, w in zip(image.shape[1:], size, strict=True)]
    around = [(m // 2, m - m // 2) for m in missing]
    inner = tuple(slice(before, before + n) for (before, _), n in zip(around, image.shape[1:], strict=True))
    return np.pad(image, [(0, 0), *around], constant_values=value), inner


def chosen(logits: Any, overlapping: bool) -> tuple[Array, Array]:
    """The class of each voxel and its probability, from the raw answers of one output after the other.

    With exclusive classes, the largest answer counts. With `overlapping` regions, the last one that is likelier than
    not; output 0 is then the first region, so class 0 stands for none of them. `logits` gives (x, y, z) arrays.
    """
    classes: Array = np.zeros(0, np.uint16)
    best: Array = np.zeros(0, np.float32)
    rest: Array = np.zeros(0, np.float32)
    for index, logit in enumerate(logits):
        if index == 0:
            classes = np.zeros(logit.shape, np.uint16)
            best = np.zeros(logit.shape, np.float32) if overlapping else logit.astype(np.float32)
            rest = np.zeros(logit.shape, np.float32) if overlapping else np.ones(logit.shape, np.float32)
            if not overlapping:
                continue
        if overlapping:
            likely = 1 / (1 + np.exp(-np.clip(logit, -80, 80), dtype=np.float32))
            taken = likely > 0.5
            classes[taken] = index + 1
            best[taken] = likely[taken]
            rest = np.maximum(rest, likely)
        else:
            larger = np.maximum(best, logit).astype(np.float32)
            rest = rest * np.exp(best - larger) + np.exp(logit - larger)  # the sum of a softmax that grows
            classes[logit > best] = index
            best = larger
    if overlapping:
        return classes, np.where(classes == 0, 1 - rest, best)
    return classes, 1 / rest
