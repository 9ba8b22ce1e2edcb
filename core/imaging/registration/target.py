"""What a scan is registered to: the template's brain, or another scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.imaging.reader import read
from core.imaging.registration.pictures import Picture, picture
from core.imaging.sample import template_file
from core.imaging.titles import TEMPLATE_FILE, TEMPLATE_TITLE
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

RIM_MM = 6.0


@dataclass(frozen=True, eq=False)
class Target:
    """core: where the two are judged (x, y, z) bool; mask: where they are compared, a rim wider."""

    volume: Volume
    name: str
    is_template: bool
    picture: Picture
    core: Array
    mask: Array


@cache
def template_target() -> Target:
    """The ICBM 152 brain. Raises IsocenterError where nilearn, which carries it, is not installed."""
    volume = read(template_file(TEMPLATE_FILE))
    seen = picture(volume, JobControl())
    # The rim holds fluid and skull: dark in T1 as the template's own background is, and so the brain's outline counts.
    return _target(volume, TEMPLATE_TITLE, True, seen, ndimage.binary_fill_holes(seen.values > 0.05))


def scan_target(volume: Volume, control: JobControl) -> Target:
    """Another scan, compared where it is not background."""
    seen = picture(volume, control)
    return _target(volume, volume.name, False, seen, seen.foreground() & seen.inside)


def _target(volume: Volume, name: str, is_template: bool, seen: Picture, core: Array) -> Target:
    rim = ndimage.binary_dilation(core, iterations=round(RIM_MM / seen.step_mm)) & (seen.inside | is_template)
    return Target(volume, name, is_template, seen, core, rim)
