"""What a network costs before it is built: operations and memory of a training step, counted from its layers.

The counts are of the U-Net. Other networks are taken for a U-Net of the usual size: good enough to choose a patch,
while the measured estimate tells what they really take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# A backward pass costs about twice the forward one.
FORWARD_AND_BACKWARD = 3
# Of each convolution the result, its normalisation and the gradient of one of them are in memory at once. A rough
# figure, as is the next: they choose sizes and refuse what is far too large; what a run takes is tried (see estimate).
BYTES_PER_FEATURE = 4 * 2.6
# The process with torch, Lightning and MONAI loaded, before any data, roughly.
BASE_BYTES = {"cpu": 850_000_000, "cuda": 600_000_000, "mps": 850_000_000}
USUAL_WIDTHS = (32, 64, 128, 256)


def operations(widths: Sequence[int]) -> float:
    """Floating point operations of a U-Net's forward pass, for each voxel of its input.

    >>> round(operations([16, 32, 64, 128]) / 1e3)
    107
    """
    total = 2 * 27 * widths[0]  # from the image
    for level, width in enumerate(widths):
        wider = widths[level + 1] if level + 1 < len(widths) else 0
        before = widths[level - 1] if level else 0
        layers = 27 * (before * width + width * width)
        if wider:
            layers += 27 * (2 * width * width + width * width) + wider * width
        total += 2 * layers / 8**level
    return float(total)


def features(widths: Sequence[int]) -> float:
    """Numbers that a U-Net's forward pass makes, for each voxel of its input."""
    return sum((8 if level + 1 < len(widths) else 2) * width / 8**level for level, width in enumerate(widths))


def step_operations(widths: Sequence[int], patch: Sequence[int], batch: int) -> float:
    """Floating point operations of one training step."""
    return FORWARD_AND_BACKWARD * operations(widths) * math.prod(patch) * batch


def step_bytes(widths: Sequence[int], patch: Sequence[int], batch: int, device: str = "cpu") -> float:
    """Peak memory of training on such batches, in bytes: the process, the features, the weights and their moments."""
    voxels = math.prod(patch) * batch
    weights = sum(27 * 6 * width * width for width in widths) * 4 * 5
    return BASE_BYTES[device] + BYTES_PER_FEATURE * features(widths) * voxels + weights
