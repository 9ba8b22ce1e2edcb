"""One registration by SimpleITK: Mattes mutual information inside a mask, from a start, with a cancel.

Mutual information (Mattes et al., IEEE TMI 22, 2003) asks only that one scan's values tell the other's, so contrasts
may differ; the mask keeps skull, scalp and neck out of the comparison with a template that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.control import JobControl, beside
from core.imaging.registration.pictures import Picture

Array = np.ndarray[Any, Any]
Freedom = Literal["rigid", "similarity", "affine"]

BINS = 32
SEED = 20091
THREADS = 1  # the sum over threads would make the last digits depend on the machine


@dataclass(frozen=True)
class Level:
    """A step of the pyramid: how many times coarser than the pictures, and how the optimizer walks."""

    coarser: int
    iterations: int
    step_mm: float  # the longest first step
    samples: int = 30_000  # voxels of the mask that are compared, at most


def optimise(
    fixed: Picture, mask: Array, moving: Picture, start: Array, freedom: Freedom, level: Level, control: JobControl
) -> Array:
    """The best matrix near `start`, fixed RAS mm -> moving RAS mm. Raises NoOverlap."""
    import SimpleITK as sitk

    control.check()
    region = _around(mask)
    fixed_image = _image(sitk, fixed.values[region], fixed, region)
    fixed_mask = _image(sitk, mask[region].astype(np.uint8), fixed, region)
    everything = (slice(0, None), slice(0, None), slice(0, None))
    moving_image = _image(sitk, moving.values, moving, everything)
    moving_mask = _image(sitk, moving.inside.astype(np.uint8), moving, everything)
    middle = fixed.points_ras_mm(mask).mean(axis=0)
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(THREADS)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed_mask)
    method.SetMetricMovingMask(moving_mask)
    method.SetInterpolator(sitk.sitkLinear)
    share = level.samples / max(int(mask.sum()), 1)
    if share < 1.0:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, SEED)
    # A line search: the valley of a head is long and narrow, and steps of a given length creep along it.
    method.SetOptimizerAsConjugateGradientLineSearch(
        1.0, level.iterations, 1e-5, 5, 0.0, 4.0, 0.02, 10, method.Once, level.step_mm
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetMovingInitialTransform(_to_itk(sitk, start))
    step = _free(sitk, freedom, middle)
    method.SetInitialTransform(step, inPlace=True)

    done = 0

    def look() -> None:
        nonlocal done
        done = method.GetOptimizerIteration()
        if control.cancelled:
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, look)
    try:
        beside(
            lambda: method.Execute(fixed_image, moving_image), control,
            lambda: control.listener(done / level.iterations, ""),
        )  # fmt: skip
    except RuntimeError as error:  # ITK: too few samples overlap, and the like
        control.check()
        raise NoOverlap(str(error)) from error
    control.check()
    # Threads elsewhere move the last digit of sums; rounded, the same scans give the same matrix.
    return np.round(start @ _from_itk(step), 8)


class NoOverlap(Exception):
    """The optimizer lost the scan: almost nothing of the mask lies in its field of view."""


def _free(sitk: Any, freedom: Freedom, middle: Array) -> Any:
    make: dict[str, Callable[[], Any]] = {
        "rigid": sitk.Euler3DTransform, "similarity": sitk.Similarity3DTransform,
        "affine": lambda: sitk.AffineTransform(3),
    }  # fmt: skip
    transform = make[freedom]()
    transform.SetCenter(middle.tolist())
    return transform


def _image(sitk: Any, values: Array, picture: Picture, region: tuple[slice, ...]) -> Any:
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    image.SetSpacing([picture.step_mm] * 3)
    first = np.array([part.start or 0 for part in region])
    image.SetOrigin((picture.origin_ras_mm + first * picture.step_mm).tolist())
    return image


def _around(mask: Array) -> tuple[slice, ...]:
    """The box around a mask."""
    box = []
    for axis in range(3):
        held = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(held[0]), int(held[-1]) + 1))
    return tuple(box)


def _to_itk(sitk: Any, matrix: Array) -> Any:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def _from_itk(transform: Any) -> Array:
    corners = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    places = np.array([transform.TransformPoint(corner) for corner in corners], float)
    matrix = np.eye(4)
    matrix[:3, 3] = places[0]
    matrix[:3, :3] = (places[1:] - places[0]).T
    return matrix
