"""Asking a run to pause, go on or end: files in its folder, so that it works from any process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from core.paths import runs_folder

Request = Literal["stop", "pause", "resume", "discard"]


class StopRequested(Exception):
    """Ends a run between two steps. `discard` says that nothing of it is to be kept."""

    def __init__(self, *, discard: bool = False) -> None:
        self.discard = discard
        super().__init__("discard" if discard else "stop")


def request(run_id: str, what: Request) -> None:
    """Ask a run for something; it obeys before its next step."""
    folder = _folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    if what == "resume":
        (folder / "pause").unlink(missing_ok=True)
    else:
        (folder / what).touch()


def clear(run_id: str) -> None:
    """Forget all requests, at a run's start."""
    for what in ("stop", "pause", "discard"):
        (_folder(run_id) / what).unlink(missing_ok=True)


def obey(run_id: str, on_pause: Callable[[bool], None]) -> None:
    """Called between steps: raise StopRequested, or wait while the run is paused.

    `on_pause` is told when a pause begins (True) and ends (False).
    """
    folder = _folder(run_id)
    _raise_if_asked(folder)
    if not (folder / "pause").exists():
        return
    on_pause(True)
    while (folder / "pause").exists():
        _raise_if_asked(folder)
        time.sleep(0.1)
    on_pause(False)


def _raise_if_asked(folder: Path) -> None:
    if (folder / "discard").exists():
        raise StopRequested(discard=True)
    if (folder / "stop").exists():
        raise StopRequested


def _folder(run_id: str) -> Path:
    return runs_folder() / run_id / "control"
