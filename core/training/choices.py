"""The planner's rules: each gives a value and the reason for it in one plain sentence.

Spacing, patch and normalisation follow nnU-Net (Isensee 2021); sizes are set by the memory and the time at hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.data.fingerprint import Fingerprint
from core.models.costs import Cost
from core.training import costs
from core.training.machine import Machine

Three = tuple[int, int, int]

FEW_SLICES = 3
APART = 2.0  # how many times longer voxels are for their axis to be coarsened later than the others
LEAST_SIDE = 4  # voxels of an axis that coarsening leaves
ANISOTROPIC = 3.0  # a voxel this many times longer than wide makes its axis a special one
SHORT_RUN_MINUTES = 15
USUAL_WIDTHS = {  # of a U-Net, by device
    "cpu": [24, 48, 96, 192], "mps": [32, 64, 128, 256, 320], "cuda": [32, 64, 128, 256, 320],
}  # fmt: skip
STEPS = 25_000  # of a run without a time limit: a tenth of nnU-Net's 250,000
MOST_STEPS = 100_000
FEWEST_STEPS = 1_500  # where the time leaves fewer than these, a smaller patch is chosen
UNLIMITED_CPU_MINUTES = 240.0
EPOCH_STEPS = 50  # at least, so that what happens once an epoch does not weigh
VALIDATION_SHARE = 0.06  # of the time
VALIDATION_BESIDES = 2.0  # the loss, the metrics and the weights that are saved take about as long as the forward pass
MEMORY_SHARE = 0.6  # of the device's memory
LARGEST_PATCH = {"cpu": 96**3, "mps": 96**3, "cuda": 160**3}


def spacing(found: Fingerprint) -> tuple[tuple[float, float, float], str]:
    """The median of each axis; along a far coarser axis a finer one, so that few scans lose slices."""
    spacings = np.array(found.spacings_mm, float)
    shapes = np.array(found.shapes, float)
    target = np.median(spacings, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != worst]
    coarse = target[worst] > ANISOTROPIC * target[others].max()
    thin = np.median(shapes, axis=0)[worst] * ANISOTROPIC < np.median(shapes, axis=0)[others].min()
    if np.ptp(spacings, axis=0).max() <= 0.02 * target.min():
        reason = "Every case has this spacing, so nothing is resampled."
    elif coarse and thin:
        target[worst] = max(np.percentile(spacings[:, worst], 10), target[others].max())
        reason = (
            "The median of the cases; along the coarse axis the 10th percentile, so that scans with thin slices keep "
            "their detail."
        )
    else:
        reason = "The median of the cases: half of them are refined, half of them coarsened, most of them a little."
    x, y, z = (float(round(s, 4)) for s in target)
    return (x, y, z), reason


def intensities(found: Fingerprint, *, several: bool = False) -> tuple[str, str]:
    """`ct` or `scan`, as `data.intensities` takes them. several: whether a subject has several images."""
    if several:
        return "scan", "Each image of a subject has a scale of its own, so each is standardised by itself."
    if not found.is_ct:
        return "scan", "Values of this modality mean nothing by themselves, so each scan is standardised by itself."
    if found.intensities is None:
        return "scan", "The labelled voxels all have one value, so there is no common scale to take from them."
    low, high = found.intensities.low, found.intensities.high
    return "ct", f"CT has a scale of its own: values are clipped to {low:.0f} to {high:.0f}, as labelled voxels have."


def widths(
    patch: Sequence[int], sides: Sequence[float], machine: Machine, minutes: float, wanted: int | None = None
) -> tuple[list[int], str]:
    """Feature maps at each resolution of a U-Net for about this patch. wanted: resolutions, where they are chosen."""
    gpu = machine.device == "cuda"
    levels = 1 + int(math.log2(max(float(np.prod(patch)) ** (1 / 3) / 4, 1)))
    levels = min(max(levels, 3), 6 if gpu else 4)
    while levels > 3 and any(-(-n // 2 ** (levels - 1)) * 2 ** (levels - 1) > 1.34 * n for n in sides):
        levels -= 1
    levels = wanted or levels
    first = 32 if gpu else 16 if 0 < minutes <= SHORT_RUN_MINUTES else 24
    values = [min(first * 2**level, 320 if gpu else 256) for level in range(levels)]
    why = {
        32: "the width that nnU-Net uses on a GPU",
        24: "a width that a CPU trains well in the time at hand",
        16: "narrow, since the time is short",
    }[first]
    down = "as the strides have" if wanted else "bring this patch down to a few voxels"
    return values, f"{levels} resolutions {down}; {first} feature maps at first: {why}."


def few_slices(shapes: Any, wanted: Sequence[int] | None) -> tuple[str, str] | None:
    """The axis along which there is too little to learn anything, and how much; None where there is no such."""
    for axis, name in enumerate("xyz"):
        if wanted is not None and wanted[axis] == 1:
            return name, f"the patch is a single slice along {name}"
        most = int(shapes[:, axis].max())
        if wanted is None and most <= FEW_SLICES:
            count = "a single slice" if most == 1 else f"at most {most} slices"
            return name, f"the cases have {count} along {name}"
    return None


def thick(spacing_mm: Sequence[float]) -> list[bool]:
    """Which axes have voxels at least twice as long as those of the finest axis (nnU-Net's measure)."""
    return [mm >= APART * min(spacing_mm) for mm in spacing_mm]


def strides(spacing_mm: Sequence[float], sides: Sequence[float], levels: int) -> tuple[list[Three], str] | None:
    """How much coarser each resolution of a U-Net is than the one before; None where all axes are halved each time.

    An axis of thick slices is left alone until the others are about as coarse (Isensee 2021, nnU-Net). sides: of the
    median case on the target grid; an axis is halved only as long as `LEAST_SIDE` voxels are left of it.
    """
    if not any(thick(spacing_mm)):
        return None
    mm, left = list(spacing_mm), list(sides)
    found: list[Three] = []
    for _ in range(levels - 1):
        fine = [a < APART * min(mm) and n >= 2 * LEAST_SIDE for a, n in zip(mm, left, strict=True)]
        if not any(fine):
            fine = [n == max(left) for n in left]
        x, y, z = (2 if one else 1 for one in fine)
        found.append((x, y, z))
        mm = [a * step for a, step in zip(mm, found[-1], strict=True)]
        left = [n / step for n, step in zip(left, found[-1], strict=True)]
    if all(step == (2, 2, 2) for step in found):
        return None
    axes = " and ".join(name for name, apart in zip("xyz", thick(spacing_mm), strict=True) if apart)
    said = f"{max(spacing_mm):g} against {min(spacing_mm):g} mm"
    return found, f"Voxels are long along {axes} ({said}), so that axis is halved only when the others are as coarse."


def patch(
    sides: Sequence[float], spacing_mm: Sequence[float], divisor: int | Sequence[int], limit: float
) -> tuple[Three, str]:
    """What holds the median case where that is small enough, else cut down to `limit` voxels, even in millimetres.

    `sides` are the median case's on the target grid; each is a multiple of `divisor`, or of one of its own. A patch
    that cut a few voxels off was 0.003 of Dice worse on hippocampi (README, "How good and how fast").
    """
    steps = [int(step) for step in np.broadcast_to(divisor, 3)]
    size = [math.ceil(n / step) * step for n, step in zip(sides, steps, strict=True)]
    whole = list(size)
    while math.prod(size) > limit and any(n > step for n, step in zip(size, steps, strict=True)):
        # Shorten the axis that sees farthest, so that the field of view becomes even.
        reach = [n * mm if n > step else 0.0 for n, mm, step in zip(size, spacing_mm, steps, strict=True)]
        longest = int(np.argmax(reach))
        size[longest] -= steps[longest]
    if max(steps) > 1 and size == steps:  # a single voxel at the coarsest resolution has no deviation
        size[int(np.argmax(np.multiply(sides, np.array(steps) > 1)))] *= 2
    multiple = f"in multiples of {text_of(divisor)}, as the network needs" if max(steps) > 1 else ""
    if size == whole:
        reason = f"Holds the whole median case, {multiple}.".replace(", .", ".")
    else:
        reason = "As large as memory and time allow, about as far in millimetres along each axis."
    return (size[0], size[1], size[2]), reason


def patch_limit(cost: Cost, batch: int, machine: Machine, minutes: float) -> float:
    """Voxels of a patch that memory and time allow."""
    free = min(MEMORY_SHARE * machine.memory, 0.9 * machine.free)
    most = max((free - costs.fixed_bytes(cost, machine.device)) / (costs.patch_bytes(cost) * batch), 1.0)
    if machine.device == "cpu":
        seconds = 60 * (minutes or UNLIMITED_CPU_MINUTES)
        step = costs.step_operations(cost, (1, 1, 1), batch)
        most = min(most, seconds * machine.rate / FEWEST_STEPS / step)
    return max(min(most, LARGEST_PATCH[machine.device]), 16**3)


def batch(cost: Cost, size: Three, sides: Sequence[float], cases: int, machine: Machine) -> tuple[int, str]:
    """Patches in a step, for a patch of this size."""
    free = min(MEMORY_SHARE * machine.memory, 0.9 * machine.free)
    if costs.step_bytes(cost, size, 2, machine.device) > free:
        return 1, "A single patch already takes much of the memory."
    small = all(p >= 0.85 * n for p, n in zip(size, sides, strict=True))
    if machine.device != "cuda" or not small:
        return 2, "Small steps learn more in the same time; two patches keep the loss steady."
    most = 0.05 * cases * float(np.prod(sides)) / math.prod(size)  # nnU-Net: at most 5 % of the voxels in a step
    count = 2
    while count < min(16, most) and costs.step_bytes(cost, size, count + 1, machine.device) < free:
        count += 1
    return count, "The patch covers most of a case, so memory is left for more of them."


def shared(count: int, reason: str, devices: int) -> tuple[int, str]:
    """The batch as a multiple of the devices that share it.

    >>> shared(2, "Small.", 4)
    (4, 'Small. A multiple of the 4 devices.')
    """
    if count % devices == 0:
        return count, reason
    return math.ceil(count / devices) * devices, f"{reason} A multiple of the {devices} devices."


def patches_per_case(cases: int, batch_size: int) -> tuple[int, str]:
    count = min(max(math.ceil(EPOCH_STEPS * batch_size / cases), 1), 64)
    if count == 1:
        return 1, f"{cases} training cases make an epoch long enough."
    return count, f"With {cases} training cases an epoch has {cases * count // batch_size or 1} steps."


def steps_at_hand(step_operations: float, machine: Machine, minutes: float) -> int:
    """Steps that the time limit leaves, roughly; without one as many as a good model takes."""
    if not minutes:
        return STEPS
    return int(min(max(60 * minutes * machine.rate / step_operations, 10), MOST_STEPS))


def epochs(steps_per_epoch: int, minutes: float) -> tuple[int, str]:
    if minutes:
        count = MOST_STEPS / steps_per_epoch
        reason = f"The time limit of {minutes:g} min ends the run; this is only the most it may do."
    else:
        count = STEPS / steps_per_epoch
        reason = f"Makes about {STEPS:,} steps, a tenth of nnU-Net's; set more for the last bit of accuracy."
    return min(max(math.ceil(count), 1), 100_000), reason


def validate_every(seconds_ratio: float, total_epochs: int) -> tuple[int, str]:
    """`seconds_ratio`: the time of a validation by that of an epoch's training."""
    every = max(math.ceil(seconds_ratio / VALIDATION_SHARE), 1)
    every = min(every, max(total_epochs // 10, 1))
    if every == 1:
        return 1, "Validation takes little of the time."
    return every, f"Validating more often would take more than {VALIDATION_SHARE:.0%} of the time."


def averaging(steps: int) -> tuple[float, str]:
    decay = min(max(1 - 8 / steps, 0.9), 0.999)
    return round(decay, 4), f"Averages about the last {round(1 / (1 - decay)):,} of some {steps:,} steps."


def validation_ratio(found_cases: int, sides: Sequence[float], size: Three, patches: int) -> float:
    """The time of validating so many whole cases by that of training on so many patches."""
    windows = 1.5 if math.prod(sides) <= 4 * math.prod(size) else 8.0  # of the case's voxels: rounded up, overlapping
    seen = found_cases * float(np.prod(sides)) * windows * VALIDATION_BESIDES
    return seen / (costs.FORWARD_AND_BACKWARD * patches * math.prod(size))


def text_of(value: Any) -> str:
    """A chosen value as people write it.

    >>> text_of((1.0, 1.0, 3.0)), text_of([24, 48]), text_of(0.999), text_of(2)
    ('1 x 1 x 3', '24, 48', '0.999', '2')
    """
    if isinstance(value, tuple) and len(value) == 3:
        return " x ".join(f"{n:g}" for n in value)
    if isinstance(value, list):
        return ", ".join(f"{n:g}" for n in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
