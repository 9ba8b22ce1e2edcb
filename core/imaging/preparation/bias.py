"""The bias field of an MRI: the slow change of its brightness that comes from the coils (N4, by SimpleITK)."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.control import JobControl, beside
from core.imaging.registration.pictures import block_means, threshold

Array = np.ndarray[Any, Any]

STEP_MM = 4.0  # the field is smooth: it is found on a picture of this step, and looked up between its voxels
ITERATIONS = (30, 20, 10)  # at each of the levels of the field's splines
THREADS = 1  # as in the registration: the same scan gives the same field on every machine
FARTHEST = np.log(4.0)  # a field that brightens more than fourfold is no field


def bias_field(values: Array, affine_ras: Array, control: JobControl) -> Array:
    """(i, j, k) float32: what the values are to be divided by, 1 in the middle of its range.

    N4: Tustison et al., IEEE TMI 29 (2010) 1310.
    """
    import SimpleITK as sitk

    control.check()
    spacing = np.sqrt((affine_ras[:3, :3] ** 2).sum(axis=0))
    block = tuple(max(int(n), 1) for n in np.minimum(np.floor(STEP_MM / spacing + 0.01), np.array(values.shape) // 4))
    coarse, _ = block_means(np.maximum(values, 0), affine_ras, block)
    high = float(np.percentile(coarse, 99.8))
    if not high > 0:
        return np.ones(values.shape, np.float32)
    head = coarse > 0.6 * high * threshold(np.clip(coarse / high, 0, 1))
    image = sitk.GetImageFromArray(
        np.ascontiguousarray(coarse.transpose(2, 1, 0), np.float32) + np.float32(1e-3 * high)
    )
    image.SetSpacing([float(s * b) for s, b in zip(spacing, block, strict=True)])
    mask = sitk.GetImageFromArray(np.ascontiguousarray(head.transpose(2, 1, 0), np.uint8))
    mask.CopyInformation(image)
    method = sitk.N4BiasFieldCorrectionImageFilter()
    method.SetMaximumNumberOfIterations(ITERATIONS)
    method.SetNumberOfThreads(THREADS)
    done = 0

    def look() -> None:
        nonlocal done
        done += 1
        if control.cancelled:
            method.Abort()

    method.AddCommand(sitk.sitkIterationEvent, look)
    try:
        beside(
            lambda: method.Execute(image, mask), control,
            lambda: control.listener(min(done / sum(ITERATIONS), 1.0), "Correcting the bias field"),
        )  # fmt: skip
        log_field = sitk.GetArrayFromImage(method.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0)
    except RuntimeError:  # aborted, or a picture in which ITK finds nothing to fit
        control.check()
        return np.ones(values.shape, np.float32)
    control.check()
    log_field = np.clip(log_field - np.median(log_field[head]), -FARTHEST, FARTHEST)
    at = [(np.arange(n) - (b - 1) / 2) / b for n, b in zip(values.shape, block, strict=True)]
    field = _looked_up(log_field, at, control)
    control.check()
    return np.asarray(np.exp(field, out=field))


def _looked_up(coarse: Array, at: list[Array], control: JobControl) -> Array:
    """Between the voxels of a coarse array, one axis after the other, its edges held."""
    found = coarse.astype(np.float32)
    for axis, places in enumerate(at):
        control.check()
        low = np.clip(np.floor(places).astype(int), 0, found.shape[axis] - 1)
        high = np.minimum(low + 1, found.shape[axis] - 1)
        share = np.clip(places - low, 0, 1).astype(np.float32)
        share = share.reshape([-1 if a == axis else 1 for a in range(3)])
        found = np.take(found, low, axis) * (1 - share) + np.take(found, high, axis) * share
    return found
