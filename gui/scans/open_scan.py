"""A scan that is open: what was read, what was found in it, and how it was left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.imaging.volume import Finding
    from gui.scans.registered import Registered
    from gui.viewer.scene import OpenedScan


@dataclass
class OpenScan:
    opened: OpenedScan
    findings: tuple[Finding, ...]
    cursor: tuple[int, int, int] | None = None  # where it was left
    by_user: bool = True  # whether its user asked for it, and not the program at its first start
    registered: Registered | None = None  # how it was made, where it is a scan registered to another
