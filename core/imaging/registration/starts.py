"""Where registration begins: many places and turns of the head compared coarsely, the best few kept.

A scan may show the neck, lie off the middle, or be turned; one start, such as the centres of mass, finds the wrong
valley then. A start is a 4 x 4 matrix, fixed RAS mm -> moving RAS mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage, optimize

from core.control import JobControl
from core.imaging.registration.pictures import Picture, shares

Array = np.ndarray[Any, Any]

BINS = 24
MOST_POINTS = 4000
TRIED, KEPT = 4, 2
STEP_MM = 8.0
SEARCHING = "Looking for the head's place"
COARSE = 3  # pictures are looked at this many times coarser
VERTEX_TO_CENTRE_MM = 80.0  # from the top of the head down to the middle of the brain
NOD_DEG = (-30.0, -15.0, 0.0, 15.0, 30.0)
TURN_DEG = (-20.0, 0.0, 20.0)
AHEAD_MM = (-20.0, 0.0, 20.0)
ABOVE_MM = (-40.0, -20.0, 0.0, 20.0, 40.0)
HALF_TURNS = tuple(np.diag([*signs, 1.0]) for signs in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1)))


def find_starts(
    fixed: Picture, mask: Array, moving: Picture, control: JobControl, *, sized: bool, turned: Array | None = None
) -> list[Array]:
    """A few starts that differ, the likeliest first.

    sized: whether one scan may be larger than the other. turned: a turn of the whole head that each start has.
    """
    first = np.eye(4) if turned is None else turned
    fixed, mask, moving = fixed.coarser(COARSE), shares(mask, COARSE) > 0.5, moving.coarser(COARSE)
    moving = replace(moving, values=ndimage.gaussian_filter(moving.values, 0.7))
    points = fixed.points_ras_mm(mask)
    some = slice(None, None, max(len(points) // MOST_POINTS, 1))
    points, values = points[some], ndimage.gaussian_filter(fixed.values, 0.7)[mask][some]
    middle = points.mean(axis=0)

    def score(start: Array) -> float:
        control.check()
        return mutual_information(values, moving.values_at(points @ start[:3, :3].T + start[:3, 3]))

    control.progress(0.0, SEARCHING)
    places = [
        _start(middle, anchor + np.array([0.0, ahead, above]), first @ _turn(0, nod))
        for anchor, ahead, above, nod in product(_anchors(moving, first), AHEAD_MM, ABOVE_MM, NOD_DEG)
    ]
    if turned is None:
        places.append(np.eye(4))  # two scans of one session lie right already
    control.progress(0.2, SEARCHING)
    turns = [
        _about(middle, start, _turn(1, roll) @ _turn(2, yaw))
        for start, roll, yaw in product(_best(places, score, middle, 12), TURN_DEG, TURN_DEG)
    ]
    refined = []
    for n, start in enumerate(_best(turns, score, middle, TRIED)):
        control.progress(0.4 + 0.6 * n / TRIED, SEARCHING)
        refined.append(_refined(start, score, middle, sized=sized))
    return _best(refined, score, middle, KEPT)


def _refined(start: Array, score: Callable[[Array], float], middle: Array, *, sized: bool) -> Array:
    """A start brought to the top of its hill, by Powell's method, which needs no gradient."""

    def place(steps: Array) -> Array:
        angles = np.degrees(steps[3:6] * STEP_MM / 80.0)  # a step moves what is 80 mm off the middle by STEP_MM
        turn = _turn(0, angles[0]) @ _turn(1, angles[1]) @ _turn(2, angles[2])
        if sized:
            turn[:3, :3] *= np.exp(np.clip(steps[6] * STEP_MM / 80.0, -0.35, 0.35))
        moved = _about(middle, start, turn)
        moved[:3, 3] += steps[:3] * STEP_MM
        return moved

    found = optimize.minimize(
        lambda steps: -score(place(steps)), np.zeros(7 if sized else 6), method="Powell",
        options={"maxfev": 400, "xtol": 0.02, "ftol": 1e-3},
    )  # fmt: skip
    return place(found.x)


def mutual_information(a: Array, b: Array) -> float:
    """How much values in 0..1 tell of each other, in nats (Viola and Wells 1997; here of a joint histogram)."""
    rows, columns = (np.minimum((values * BINS).astype(np.int64), BINS - 1) for values in (a, b))
    joint = np.bincount(rows * BINS + columns, minlength=BINS * BINS).reshape(BINS, BINS) / max(a.size, 1)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def _anchors(moving: Picture, turned: Array) -> list[Array]:
    """Where the middle of the brain may be: middle of the tissue, of the field of view, and below the head's top."""
    head = moving.foreground()
    if not head.any():
        head = np.ones_like(head)
    places = moving.points_ras_mm(head)
    up = turned[2, 2]
    top = (places[:, 2] * up).max()
    upper = places[places[:, 2] * up > top - 2 * VERTEX_TO_CENTRE_MM]
    below_top = np.array([*upper[:, :2].mean(axis=0), up * (top - VERTEX_TO_CENTRE_MM)])
    return [places.mean(axis=0), below_top, moving.points_ras_mm(moving.inside).mean(axis=0)]


def _best(starts: list[Array], score: Any, middle: Array, keep: int) -> list[Array]:
    """The highest in score, leaving out those almost like a better one."""
    scores = [score(start) for start in starts]
    kept: list[Array] = []
    for n in np.argsort(scores, kind="stable")[::-1]:
        if all(_apart(starts[n], other, middle) > 12.0 for other in kept):
            kept.append(starts[n])
        if len(kept) == keep:
            break
    return kept


def _apart(one: Array, other: Array, middle: Array) -> float:
    """The largest way between where two starts put points 80 mm around the middle."""
    around = middle + 80.0 * np.array([*np.eye(3), *-np.eye(3)])
    return float(np.linalg.norm((around @ (one - other)[:3, :3].T) + (one - other)[:3, 3], axis=1).max())


def _start(middle: Array, place: Array, turn: Array) -> Array:
    start = turn.copy()
    start[:3, 3] = place - turn[:3, :3] @ middle
    return start


def _about(middle: Array, start: Array, turn: Array) -> Array:
    there = start[:3, :3] @ middle + start[:3, 3]
    return _start(middle, there, start @ turn)


def _turn(axis: int, degrees: float) -> Array:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = ((1, 2), (2, 0), (0, 1))[axis]
    turn = np.eye(4)
    turn[a, a] = turn[b, b] = cos
    turn[a, b], turn[b, a] = -sin, sin
    return turn
