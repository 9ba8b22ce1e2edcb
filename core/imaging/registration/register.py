"""Registration of a scan to the ICBM 152 template or to another scan: rigid or affine, judged, or refused.

    find_starts  ->  rigid, 4 mm, from each start  ->  (similarity, affine, 4 mm)  ->  2 mm  ->  judge

A result that does not fit is never handed out: RegistrationFailed says in plain words what is the matter. One thing
no picture can tell: a head that is mirrored left to right in its file fits as well as its original, so which side is
left is taken from the scan's own affine, and a scan that fits only upside down or back to front is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from core.control import JobControl
from core.errors import RegistrationFailed
from core.imaging.registration.optimise import Freedom, Level, NoOverlap, optimise
from core.imaging.registration.pictures import Picture, picture, shares
from core.imaging.registration.quality import Quality, judge
from core.imaging.registration.starts import HALF_TURNS, find_starts
from core.imaging.registration.target import Target, scan_target, template_target
from core.imaging.volume import Finding, Volume

Array = np.ndarray[Any, Any]
Kind = Literal["rigid", "affine"]

COARSE = Level(coarser=2, iterations=25, step_mm=2.0)
FINE = Level(coarser=1, iterations=8, step_mm=1.0)
WORDS: dict[Kind, str] = {"rigid": "Rigid registration", "affine": "Affine registration"}
HOPELESS = 0.3  # in fit: what begins so never ends well
WORSE = 0.03  # in fit: finer steps may lose a little by the coarse measure

FULLY_COVERED = 0.98
MOST_TURN_DEG = 50.0
SCALES = (0.7, 1.5)


@dataclass(frozen=True)
class Bounds:
    """What a fit must reach. Measured, similarity / edges / covered:

    to the template     its own brain moved 0.95 / 0.99, another average brain 0.92 / 0.97, a subject with skull
                        (BrainWeb 06) 0.79 / 0.82, its PET 0.57 / 0.60, the brain with values inverted 0.91 / 0.70
                        upside down, back to front, half of it blank, noise, a ball: at most 0.45 / 0.65
                        half of a head: up to 0.99 / 0.93, but 0.35 to 0.61 covered
    to another scan     the same subject's T1 moved 0.96 / 0.98, PET and T1 of one subject (to 1.5 mm) 0.73 / 0.34
    """

    covered: float
    similarity: float
    edges: float


TO_TEMPLATE = Bounds(covered=0.85, similarity=0.55, edges=0.5)
TO_SCAN = Bounds(covered=0.5, similarity=0.55, edges=0.3)


@dataclass(frozen=True, eq=False)
class Registration:
    """moving_to_fixed: 4 x 4, RAS millimetres of the moving scan -> RAS millimetres of the fixed one."""

    moving_to_fixed: Array
    kind: Kind
    fixed_name: str
    to_template: bool
    quality: Quality
    findings: tuple[Finding, ...]


def register(
    moving: Volume, fixed: Volume | None = None, kind: Kind = "affine", control: JobControl | None = None
) -> Registration:
    """Register a scan to another (None: to the template's brain).

    Raises RegistrationFailed where nothing fits; never returns a matrix that does not.
    """
    control = control or JobControl()
    _refuse_unusable(moving)
    control.progress(0.0, "Looking at the scans")
    if fixed is None:
        target = template_target()
    else:
        _refuse_unusable(fixed)
        target = scan_target(fixed, control)
    seen = picture(moving, control)
    _refuse_empty(target, seen, moving, fixed)
    best = _search(target, seen, kind, control.part(0.05, 0.95))
    control.progress(0.95, "Judging the fit")
    quality = judge(target, seen, best)
    if not _good(target, quality):
        _say_why(target, seen, moving, quality, control)
    findings = [*_findings(target, quality, kind), *_of_several(moving, fixed)]
    return Registration(np.linalg.inv(best), kind, target.name, target.is_template, quality, tuple(findings))


def _search(target: Target, seen: Picture, kind: Kind, control: JobControl, turned: Array | None = None) -> Array:
    """The best matrix, fixed -> moving, of several starts."""
    starts = find_starts(
        target.picture, target.mask, seen, control.part(0.0, 0.3), sized=kind == "affine", turned=turned
    )
    best = max(starts, key=lambda start: _fit(target, seen, start))
    if _fit(target, seen, best) < HOPELESS:
        return best
    if kind == "rigid":
        steps: Sequence[tuple[Freedom, Level, float]] = [("rigid", COARSE, 0.3), ("rigid", FINE, 0.6)]
    else:
        steps = [("similarity", COARSE, 0.3), ("affine", COARSE, 0.45), ("affine", FINE, 0.6)]
    ends = [begin for _, _, begin in steps[1:]] + [1.0]
    for (freedom, level, begin), end in zip(steps, ends, strict=True):
        best = _better(target, seen, best, freedom, level, control.part(begin, end).saying(WORDS[kind]))
    return best


def _better(target: Target, seen: Picture, start: Array, freedom: Freedom, level: Level, control: JobControl) -> Array:
    """`start` made better, or kept where the optimizer left its valley."""
    fixed, mask, moving = target.picture, target.mask, seen
    if level.coarser > 1:
        fixed, moving, mask = (
            fixed.coarser(level.coarser), seen.coarser(level.coarser), shares(mask, level.coarser) > 0.5
        )  # fmt: skip
    try:
        found = optimise(fixed, mask, moving, start, freedom, level, control)
    except NoOverlap:
        return start
    return found if _fit(target, seen, found) > _fit(target, seen, start) - WORSE else start


def _fit(target: Target, seen: Picture, matrix: Array) -> float:
    """What the starts compete by. Not ITK's metric: that forgets what lies outside of the scan's field of view."""
    quality = judge(target, seen, matrix)
    return quality.covered * (quality.similarity + max(quality.edges, 0.0))


# ---- what may not pass ----------------------------------------------------------------------------------------------


def _bounds(target: Target) -> Bounds:
    return TO_TEMPLATE if target.is_template else TO_SCAN


def _alike(target: Target, quality: Quality) -> bool:
    bounds = _bounds(target)
    return quality.similarity >= bounds.similarity and quality.edges >= bounds.edges


def _good(target: Target, quality: Quality) -> bool:
    sane = SCALES[0] <= quality.scale[0] and quality.scale[1] <= SCALES[1] and not quality.mirrored
    covered = quality.covered >= _bounds(target).covered
    return _alike(target, quality) and covered and sane and quality.turn_deg <= MOST_TURN_DEG


def _say_why(target: Target, seen: Picture, moving: Volume, quality: Quality, control: JobControl) -> NoReturn:
    """Raise RegistrationFailed for a poor fit, with the likeliest reason."""
    where = moving.source.path
    name = "the template" if target.is_template else target.name
    turn = quality.turn_deg if _alike(target, quality) else _turn_that_fits(target, seen, control)
    if turn > MOST_TURN_DEG:
        raise RegistrationFailed(
            f"the scan fits {name} only when it is turned by {turn:.0f} degrees, so its header does not say rightly "
            "how it lies in the patient, and left and right cannot be trusted", where=where,
            mend="Mend the scan's orientation at its source, or convert it anew from DICOM.",
        )  # fmt: skip
    if quality.covered < _bounds(target).covered and quality.similarity >= _bounds(target).similarity:
        what = "the template's brain" if target.is_template else name
        raise RegistrationFailed(
            f"the scan covers only {quality.covered:.0%} of {what}; at least {_bounds(target).covered:.0%} are needed",
            where=where, mend="Give a scan that shows all of it.",
        )  # fmt: skip
    raise RegistrationFailed(
        f"no good fit to {name} was found (similarity {quality.similarity:.2f}, edges {quality.edges:.2f}, "
        f"{quality.covered:.0%} covered)", where=where,
        mend="It takes a whole head, the right way up, without large cuts or artefacts." if target.is_template
        else "Both scans must show the same part of the body, the right way up.",
    )  # fmt: skip


def _turn_that_fits(target: Target, seen: Picture, control: JobControl) -> float:
    """The turn in degrees of a scan that fits well when it is turned by half; 0 where it does not."""
    for n, turned in enumerate(HALF_TURNS):
        part = control.part(0.95, 0.96 + 0.01 * n).saying("Looking whether it lies the wrong way round")
        starts = find_starts(target.picture, target.mask, seen, part, sized=True, turned=turned)
        for quality in (judge(target, seen, start) for start in starts):
            if _alike(target, quality) and quality.covered >= _bounds(target).covered:
                return quality.turn_deg
    return 0.0


def _refuse_unusable(volume: Volume) -> None:
    if volume.voxels.dtype.kind not in "buif":
        raise RegistrationFailed(
            "the voxels are colours or complex numbers; registration needs one plain value per voxel",
            where=volume.source.path, mend="Give the scan itself, not a colour map or a rendering of it.",
        )  # fmt: skip
    if min(volume.grid_shape) < 2:
        raise RegistrationFailed(
            "a single slice cannot be registered", where=volume.source.path, mend="Give the whole volume."
        )


def _refuse_empty(target: Target, seen: Picture, moving: Volume, fixed: Volume | None) -> None:
    for volume, held in ((moving, seen.values), (fixed, target.picture.values)):
        if volume is not None and not held.any():
            raise RegistrationFailed(
                "every voxel has the same value or none, so there is nothing to register", where=volume.source.path
            )
    if target.mask.sum() < 1000:
        raise RegistrationFailed(
            "the scan to register to shows almost nothing", where=fixed.source.path if fixed else None,
            mend="Choose another scan.",
        )  # fmt: skip


def _findings(target: Target, quality: Quality, kind: Kind) -> list[Finding]:
    scaled = f", scaled by {quality.scale[0]:.2f} to {quality.scale[1]:.2f}" if kind == "affine" else ""
    found = [
        Finding(
            "registered", "info",
            f"{WORDS[kind]} to {target.name}: similarity {quality.similarity:.2f}, edges {quality.edges:.2f}.",
        ),
        Finding("registration_moved", "info", f"Turned by {quality.turn_deg:.1f}°{scaled}."),
    ]  # fmt: skip
    if quality.covered < FULLY_COVERED:
        what = "the brain" if target.is_template else target.name
        message = f"The scan covers {quality.covered:.0%} of {what}; the rest is empty."
        found.append(Finding("registration_partly_covered", "warning", message))
    return found


def _of_several(*scans: Volume | None) -> Iterator[Finding]:
    """Of scans that hold several volumes, that the first was taken."""
    for scan in scans:
        count = int(np.prod(scan.shape[3:])) if scan is not None else 1
        if scan is not None and count > 1:
            message = f"{scan.name} holds {count} volumes (time points or channels); it was registered by the first."
            yield Finding("first_of_several", "warning", message)
