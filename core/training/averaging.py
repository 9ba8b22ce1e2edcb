"""A running average of the weights, which is what is validated and kept."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging


def weight_averaging(decay: float) -> WeightAveraging:
    """Exponential averaging whose memory grows with the steps taken, so that short runs are not held back.

    The decay after n updates is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage.
    """

    def average(averaged: Any, current: Any, updates: Any) -> None:
        n = int(updates)
        if averaged[0].is_floating_point():  # tensors come grouped by their kind
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters and tables of indices
            torch._foreach_copy_(averaged, current)

    return WeightAveraging(multi_avg_fn=average)
