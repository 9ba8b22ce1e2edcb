"""What a training step takes, from what its network costs: operations and memory.

They choose sizes and refuse what is far too large; what a run really takes is tried (core.training.estimate).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.models.costs import Cost

# A backward pass costs about twice the forward one.
FORWARD_AND_BACKWARD = 3
# The most memory of a step, by what its forward pass keeps: gradients and the work of convolutions come on top. It was
# 0.9 to 2.0 in training steps of all networks here on a CPU, and 2.4 of a U-Net of slices.
PEAK = 2.1
# Of a parameter: its weight, its gradient, two moments of the optimizer and an average, in 32 bits.
BYTES_PER_PARAMETER = 4 * 5
# The process with torch, Lightning and MONAI loaded, before any data, roughly.
BASE_BYTES = {"cpu": 850_000_000, "cuda": 600_000_000, "mps": 850_000_000}


def step_operations(cost: Cost, patch: Sequence[int], batch: int) -> float:
    """Floating point operations of one training step."""
    return FORWARD_AND_BACKWARD * cost.operations * math.prod(patch) * batch


def fixed_bytes(cost: Cost, device: str = "cpu") -> float:
    """What the process takes, and the weights with all that belongs to them, whatever the patch."""
    return BASE_BYTES[device] + BYTES_PER_PARAMETER * cost.parameters


def patch_bytes(cost: Cost) -> float:
    """What a step takes for each voxel of a batch."""
    return PEAK * cost.kept_bytes


def step_bytes(cost: Cost, patch: Sequence[int], batch: int, device: str = "cpu") -> float:
    """Peak memory of training on such batches, in bytes."""
    return fixed_bytes(cost, device) + patch_bytes(cost) * math.prod(patch) * batch
