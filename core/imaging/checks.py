"""Checks of the voxels themselves: values that are no numbers, and volumes that hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.control import JobControl
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

_SLAB_BYTES = 8 * 2**20


def slabs(voxels: Array) -> Iterator[Array]:
    """The volume in pieces of about 8 MiB along its slowest axis, so that a memory map is never read at once."""
    axis = int(np.argmax(np.abs(voxels.strides)))
    count = voxels.shape[axis]
    step = max(1, int(count * _SLAB_BYTES / max(voxels.nbytes, 1)))
    turned = np.moveaxis(voxels, axis, 0)
    for start in range(0, count, step):
        yield turned[start : start + step]


def voxel_findings(voxels: Array, control: JobControl | None = None) -> list[Finding]:
    """What is wrong with the values. Reads floating-point volumes whole; others only until two values differ."""
    control = control or JobControl()
    findings = []
    if voxels.dtype.kind == "f":
        bad = 0
        for slab in slabs(voxels):
            control.check()
            bad += int(slab.size - np.isfinite(slab).sum())
        if bad:
            noun = "voxel has" if bad == 1 else "voxels have"
            findings.append(Finding("non_finite", "warning", f"{bad} {noun} no number as value (NaN or infinite)."))
    if _is_constant(voxels, control):
        findings.append(Finding("constant", "warning", "Every voxel has the same value: there is nothing to see."))
    return findings


def _is_constant(voxels: Array, control: JobControl) -> bool:
    first = voxels.flat[0]
    middle = voxels[:, :, voxels.shape[2] // 2]
    if (middle != first).any():
        return False
    for slab in slabs(voxels):
        control.check()
        if (slab != first).any():
            return False
    return True
