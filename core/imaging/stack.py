"""From single slices with positions to one even grid: what may be put together, and what has to be refused.

A grid has one spacing and one direction. Slices are therefore sorted by their place along the normal, never by number
or name, and a series that is no even grid is either brought to one, which is said in a finding, or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.layout import time_series
from core.imaging.pixels import Pixels
from core.imaging.straighten import Straightening
from core.imaging.transform import LPS, check_affine, ras_from
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

_EXPORT_AGAIN = "Export this series alone and whole from the archive."
# Positions that differ by less are the same place: headers are rounded.
_SAME_PLACE_MM = 0.01
# Positions rounded to a tenth of a millimetre are off by half of that.
_ROUNDING_MM = 0.06
# A stack that leaves its normal by less is straight: below this a skewed voxel is none to the eye.
_LEAST_TILT_DEG, _LEAST_DRIFT_MM = 0.06, 0.1
# A gap of more steps than this holds too much that was never measured.
_LARGEST_GAP = 5.0


@dataclass(frozen=True)
class Frame:
    """One slice as its header describes it; all lengths in mm, directions in DICOM's LPS space."""

    pixels: Pixels  # of its file
    index: int  # of the frame in its file
    instance: str  # SOP instance UID and frame, the same only for copies
    position: tuple[float, float, float]  # of the first pixel's centre
    orientation: tuple[float, ...]  # direction of a row, then of a column
    pixel_spacing: tuple[float, float]  # between rows, between columns
    slice_spacing: float  # as declared; used where there is a single slice
    rows: int
    columns: int
    slope: float
    intercept: float
    reference: str  # frame of reference UID
    order: tuple[float, ...]  # time order among slices at the same place
    corner: tuple[int, int] = (0, 0)  # row and column where a tile of a mosaic begins


@dataclass(frozen=True)
class Stack:
    """How the frames make a grid.

    places: [k][t] frames, by place along the normal, then time. spares: (copy, original) that should be identical.
    positions: (k,) places in mm along the normal; grid: places of the even grid, the same where nothing is repaired.
    straightening: how the even grid's slices are shifted where the stack is skewed.
    """

    places: list[list[Frame]]
    spares: list[tuple[Frame, Frame]]
    positions: Array
    grid: Array
    straightening: Straightening | None
    affine_ras: Array
    findings: list[Finding]


def arrange(frames: list[Frame], where: Path) -> Stack:
    """Sort frames into a grid. Raises UnreadableScan where they do not make one."""
    findings: list[Finding] = []
    frames = _without_copies(frames, findings)
    _check_alike(frames, where)
    first = frames[0]
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.cross(row, column)
    depth = np.array([np.dot(normal, f.position) for f in frames])
    groups = _groups(frames, depth)
    places, spares = _times(groups, findings, where)
    positions = np.array([np.dot(normal, group[0].position) for group in places])
    ends = np.array([places[0][0].position, places[-1][0].position])
    if len(places) == 1:
        step, grid = normal * first.slice_spacing, positions
        findings.append(Finding("single_slice", "warning", "The series holds a single slice."))
    else:
        _check_line(frames, depth, ends, where)
        grid = _even_grid(positions, findings, where)
        step = (ends[1] - ends[0]) / (len(grid) - 1)
    axes = np.column_stack([row * first.pixel_spacing[1], column * first.pixel_spacing[0], step])
    origin = ends[0]
    straightening = None
    if len(places) > 1 and _is_tilted(ends[1] - ends[0], normal, findings, where):
        drift = np.linalg.solve(axes[:, :2].T @ axes[:, :2], axes[:, :2].T @ (ends[1] - ends[0]))
        straightening = Straightening((float(drift[1]), float(drift[0])))
        rows_before, columns_before = straightening.before
        origin = origin - axes[:, 0] * columns_before - axes[:, 1] * rows_before
        axes[:, 2] = normal * np.dot(step, normal)
    affine = ras_from(LPS, axes, origin)
    check_affine(affine, where)
    return Stack(places, spares, positions, grid, straightening, affine, findings)


def resample(slices: Array, stack: Stack, control: JobControl) -> Array:
    """(k, rows, columns) at the measured places -> at the even grid's, linear between neighbours, in the same dtype."""
    even = np.empty((len(stack.grid), *slices.shape[1:]), slices.dtype)
    for target, place in enumerate(stack.grid):
        control.check()
        above = int(np.clip(np.searchsorted(stack.positions, place), 1, len(stack.positions) - 1))
        low, high = stack.positions[above - 1], stack.positions[above]
        weight = float(np.clip((place - low) / (high - low), 0, 1))
        if weight < 0.02 or weight > 0.98:  # measured at this place: kept as it is
            even[target] = slices[above if weight > 0.5 else above - 1]
            continue
        blend = slices[above - 1] * np.float64(1 - weight) + slices[above] * np.float64(weight)
        even[target] = np.rint(blend) if slices.dtype.kind in "iu" else blend
    return even


def _without_copies(frames: list[Frame], findings: list[Finding]) -> list[Frame]:
    unique = {frame.instance: frame for frame in reversed(frames)}
    copies = len(frames) - len(unique)
    if copies:
        message = f"{copies} files are copies of others in the series; each image was taken once."
        findings.append(Finding("copies", "info", message))
    return [frame for frame in frames if unique[frame.instance] is frame]


def _check_alike(frames: list[Frame], where: Path) -> None:
    """All frames must share what one grid has only one of."""
    first = frames[0]
    directions = np.array([f.orientation for f in frames])
    axes = directions[0].reshape(2, 3)
    if not np.isfinite(directions).all() or np.abs(axes @ axes.T - np.eye(2)).max() > 1e-2:
        raise _refused("the header's image orientation is damaged", where)
    if np.abs(directions - directions[0]).max() > 1e-3:
        raise _refused("the series mixes images of different orientations (a localizer, perhaps)", where)
    if any((f.rows, f.columns) != (first.rows, first.columns) for f in frames):
        raise _refused("the series mixes images of different sizes", where)
    spacing = np.array([f.pixel_spacing for f in frames])
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise _refused("the header's pixel spacing is missing or damaged", where)
    if np.abs(spacing / spacing[0] - 1).max() > 1e-3:
        raise _refused("the series mixes images of different pixel spacings", where)
    if len({f.reference for f in frames}) > 1:
        raise _refused("the series mixes images of different frames of reference", where)
    if not np.isfinite([f.position for f in frames]).all():
        raise _refused("the header's image position is damaged", where)


def _groups(frames: list[Frame], depth: Array) -> list[list[Frame]]:
    """Frames by place along the normal, each place's frames in time order."""
    groups: list[list[Frame]] = []
    last = -np.inf
    for index in np.argsort(depth, kind="stable"):
        if depth[index] - last > _SAME_PLACE_MM:
            groups.append([])
            last = depth[index]
        groups[-1].append(frames[index])
    return [sorted(group, key=lambda f: (f.order, f.index)) for group in groups]


def _times(
    groups: list[list[Frame]], findings: list[Finding], where: Path
) -> tuple[list[list[Frame]], list[tuple[Frame, Frame]]]:
    """The same number of time points at each place; a few doubled slices become spares to be compared."""
    counts = {len(group) for group in groups}
    if counts == {1}:
        return groups, []
    if len(counts) == 1:
        times = counts.pop()
        findings.append(time_series(times))
        return groups, []
    doubled = sum(len(group) > 1 for group in groups)
    if doubled > len(groups) // 4 or max(counts) > 2:
        raise _refused("the series holds different numbers of images at different places", where)
    noun = "place holds" if doubled == 1 else "places hold"
    message = f"{doubled} {noun} the same slice twice; it was taken once."
    findings.append(Finding("duplicate_slices", "warning", message))
    return [group[:1] for group in groups], [(group[1], group[0]) for group in groups if len(group) > 1]


def _check_line(frames: list[Frame], depth: Array, ends: Array, where: Path) -> None:
    """All slices must lie along one straight line, else no affine describes them."""
    low, high = depth.min(), depth.max()
    share = ((depth - low) / (high - low))[:, None]
    on_line = ends[0] + share * (ends[1] - ends[0])
    off = np.linalg.norm(np.array([f.position for f in frames]) - on_line, axis=1).max()
    if off > max(0.1, 0.1 * min(frames[0].pixel_spacing)):
        raise _refused(f"the slices do not lie in one line (one is {off:.1f} mm beside it)", where)


def _even_grid(positions: Array, findings: list[Finding], where: Path) -> Array:
    """Places at one spacing from the first slice to the last: the slices' own where they are even enough."""
    count = len(positions)
    even = np.linspace(positions[0], positions[-1], count)
    step = float(even[1] - even[0])
    error = float(np.abs(positions - even).max())
    if error <= max(0.01 * step, min(_ROUNDING_MM, 0.1 * step)):
        return positions
    if error <= 0.1 * step:
        message = f"Slices lie up to {error:.2f} mm off an even spacing of {step:.2f} mm."
        findings.append(Finding("uneven_slightly", "warning", message))
        return positions
    gaps = np.diff(positions)
    step = float(np.percentile(gaps, 50, method="lower"))
    steps = gaps / step
    if steps.max() > _LARGEST_GAP:
        raise _refused(f"there is a gap of {gaps.max():.1f} mm between slices {step:.1f} mm apart", where)
    extent = positions[-1] - positions[0]
    grid: Array = np.linspace(positions[0], positions[-1], round(extent / step) + 1)
    missing = len(grid) - count
    if np.abs(steps - np.rint(steps)).max() < 0.05 and missing <= count // 4:
        noun = "slice is" if missing == 1 else "slices are"
        message = f"{missing} {noun} missing; the gap was filled from the neighbours, so measure there with care."
        findings.append(Finding("missing_slices", "warning", message))
    else:
        message = (
            f"Slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart; "
            f"they were interpolated to an even {extent / (len(grid) - 1):.2f} mm."
        )
        findings.append(Finding("uneven_slices", "warning", message))
    return grid


def _is_tilted(extent: Array, normal: Array, findings: list[Finding], where: Path) -> bool:
    """Whether the line through the slices leaves their normal by more than rounded positions explain."""
    along = abs(float(np.dot(extent, normal)))
    aside = float(np.linalg.norm(extent - np.dot(extent, normal) * normal))
    tilt = float(np.degrees(np.arctan2(aside, along)))
    if tilt > 60:
        raise _refused("the slices do not lie one behind the other", where)
    if tilt < _LEAST_TILT_DEG or aside < _LEAST_DRIFT_MM:
        return False
    message = (
        f"The slices are tilted by {tilt:.1f} degrees against their stack (gantry tilt); they were resampled to a "
        "straight grid, so values between the measured pixels are interpolated."
    )
    findings.append(Finding("gantry_tilt", "warning", message))
    return True


def _refused(what: str, where: Path) -> UnreadableScan:
    return UnreadableScan(what, where=where, mend=_EXPORT_AGAIN)
