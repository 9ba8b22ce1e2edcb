"""Scans opened before, newest first, kept in the settings."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

KEY = "scans/recent"
KEPT = 8


@dataclass(frozen=True)
class RecentScan:
    path: Path
    text: str  # what it is, such as "MR · 256 × 256 × 176 · 1 mm"
    opened: float  # seconds since the epoch
    series: str = ""  # of a DICOM folder, the one that was opened

    @property
    def when(self) -> str:
        """When it was last opened, in words."""
        days = int(time.time() // 86400) - int(self.opened // 86400)
        if days <= 1:
            return "today" if days <= 0 else "yesterday"
        return time.strftime("%-d %b" if time.strftime("%-d").isdigit() else "%d %b", time.localtime(self.opened))


def recent(settings: QSettings) -> list[RecentScan]:
    """Those that are still there."""
    try:
        entries = json.loads(str(settings.value(KEY, "[]")))
        scans = [
            RecentScan(Path(e["path"]), str(e["text"]), float(e["opened"]), str(e.get("series", ""))) for e in entries
        ]
    except (ValueError, TypeError, KeyError):
        return []
    return [scan for scan in scans if scan.path.exists()]


def remember(settings: QSettings, path: Path, text: str, series: str = "") -> None:
    """Put a scan at the head of the list."""
    others = [scan for scan in recent(settings) if (scan.path, scan.series) != (path, series)]
    scans = [RecentScan(path, text, time.time(), series), *others][:KEPT]
    entries = [
        {"path": str(scan.path), "text": scan.text, "opened": scan.opened, "series": scan.series} for scan in scans
    ]
    settings.setValue(KEY, json.dumps(entries))


def forget_all(settings: QSettings) -> None:
    settings.remove(KEY)
