"""Runs whose rows are gone from the catalog, taken in again from their folders.

A folder keeps the settings, the split and the checkpoints. The curves and events were in the catalog alone: of the
figures only those stand again that the checkpoints hold.
"""

from __future__ import annotations

import platform
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import config
from core.catalog import Catalog
from core.catalog.damage import set_aside_if_damaged
from core.catalog.records import put_back
from core.control import JobControl
from core.errors import IsocenterError
from core.files import sha256
from core.kept import EXPERIMENT, experiment_in
from core.paths import runs_folder

LOST = (
    "Taken in again from its folder. Its curves and its log are gone; the figures are those that its checkpoints hold."
)
NEW_SECONDS = 60  # a run that is being prepared has a folder before it has a row
_MADE = re.compile(r"^(\d{8}-\d{6})-.*-[0-9a-f]{4}$")
_FOLD = re.compile(r"-fold-(\d+)-[0-9a-f]{4}$")


@dataclass
class Recovery:
    """taken: ids of the runs that were taken in; left: folders that were not, and why. aside: the damaged catalog."""

    taken: list[str] = field(default_factory=list)
    left: list[tuple[Path, str]] = field(default_factory=list)
    aside: Path | None = None


def lost_runs(catalog: Catalog) -> list[Path]:
    """Folders of runs that the catalog does not know, in the order of their names; a glance at names alone."""
    known = {run.id for run in catalog.runs()}
    return [folder for folder in _runs_in(runs_folder()) if folder.name not in known and not _is_new(folder)]


def recover(folders: Iterable[Path] = (), control: JobControl | None = None) -> Recovery:
    """Take in the runs in `folders`, or those of the home folder, that the catalog does not know.

    folders: of runs, or that hold such. One that lies elsewhere is copied to the other runs. A damaged catalog is set
    aside first. No row and no folder that is there is touched. Raises CatalogError where nothing can be written.
    """
    control = control or JobControl()
    found = Recovery(aside=set_aside_if_damaged())
    with Catalog() as catalog:
        given = list(folders)
        lost = [run for folder in given for run in _found(folder)] if given else lost_runs(catalog)
        known = {run.id for run in catalog.runs()}
        for place, folder in enumerate(lost):
            control.progress(place / len(lost), f"Taking in {folder.name}")
            if folder.name in known:
                found.left.append((folder, "the catalog has a run of this name"))
                continue
            try:
                _take_in(catalog, folder, control)
            except IsocenterError as error:
                found.left.append((folder, str(error)))
            else:
                found.taken.append(folder.name)
                known.add(folder.name)
    return found


def _found(folder: Path) -> list[Path]:
    folder = folder.expanduser().absolute()
    found = [folder] if (folder / EXPERIMENT).is_file() else _runs_in(folder)
    if not found:
        raise IsocenterError(
            "there is no run in it", where=folder, mend=f"Give a run's folder, which holds {EXPERIMENT}."
        )
    return found


def _runs_in(folder: Path) -> list[Path]:
    try:
        return sorted(place for place in folder.iterdir() if (place / EXPERIMENT).is_file())
    except OSError:
        return []


def _is_new(folder: Path) -> bool:
    try:
        return not (folder / "checkpoints").is_dir() and time.time() - folder.stat().st_mtime < NEW_SECONDS
    except OSError:  # it is being deleted
        return True


def _take_in(catalog: Catalog, folder: Path, control: JobControl) -> None:
    experiment = experiment_in(folder)
    if folder.parent != runs_folder().absolute():
        folder = _copied(folder, control)
    checkpoints, points, events = [], [], []
    for kind in ("best", "last"):
        path = folder / "checkpoints" / f"{kind}.ckpt"
        if not path.is_file():
            continue
        try:
            checkpoint, figures = _checkpoint(folder.name, kind, path, experiment.task.monitor)
        except IsocenterError as error:
            events.append(_event(folder.name, f"Left out, as it is damaged: {error}"))
            continue
        checkpoints.append(checkpoint)
        points += [(key, checkpoint["step"], checkpoint["epoch"], value, checkpoint["time"]) for key, value in figures]
        control.check()
    events.append(_event(folder.name, LOST))
    made = _MADE.match(folder.name)
    created = (folder / EXPERIMENT).stat().st_mtime if made is None else _seconds(made[1])
    epoch = max((checkpoint["epoch"] + 1 for checkpoint in checkpoints), default=0)
    done = epoch >= experiment.trainer.epochs
    fold = _FOLD.search(folder.name)
    best = next((checkpoint for checkpoint in checkpoints if checkpoint["kind"] == "best"), None)
    row = {
        "id": folder.name, "name": experiment.name + (f" fold {fold[1]}" if fold else ""), "task": experiment.task.name,
        "state": "finished" if done else "interrupted", "config": config.to_yaml(experiment),
        "data_path": str(getattr(experiment.data, "path", "") or ""), "folder": str(folder), "created": created,
        "started": created, "ended": max((c["time"] for c in checkpoints), default=created), "heartbeat": None,
        "pid": None, "host": platform.node(), "epoch": epoch, "epochs": experiment.trainer.epochs, "summary": "{}",
        "error": None, "run_group": None, "fold": None,
    }  # fmt: skip
    # A checkpoint of the same step holds the same figures.
    metrics = list({point[:2]: point for point in sorted(points, key=lambda point: point[1])}.values())
    put_back(catalog, {"run": row, "metrics": metrics, "events": events, "checkpoints": checkpoints})
    if best is not None:
        at_best = {key: value for key, step, _, value, _ in metrics if step == best["step"]}
        catalog.update_run(folder.name, summary={"epoch": best["epoch"] + 1, **at_best} if at_best else {})


def _copied(folder: Path, control: JobControl) -> Path:
    """A copy of a run's folder among the others, whole or not there; links are left out."""
    target = runs_folder() / folder.name
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        raise IsocenterError("there is a folder of this name among the runs", where=target)

    def links(place: str, names: list[str]) -> list[str]:
        control.check()
        return [name for name in names if (Path(place) / name).is_symlink()]

    try:
        shutil.rmtree(part, ignore_errors=True)
        runs_folder().mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, part, ignore=links)
        part.rename(target)
    except OSError as error:  # shutil.Error too
        reason = error.strerror or "some files cannot be read or written"
        raise IsocenterError(f"the run cannot be copied ({reason})", where=folder) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _checkpoint(run: str, kind: str, path: Path, monitor: str) -> tuple[dict[str, Any], list[tuple[str, float]]]:
    """A checkpoint's row, and the figures that it holds. Raises ModelError where it is damaged or none."""
    from core.training.checkpoints import load

    content = load(path)
    given = content.get("metrics")
    figures = [
        (key, float(value))
        for key, value in (given.items() if isinstance(given, dict) else ())
        if isinstance(key, str) and isinstance(value, int | float)
    ]
    epoch, step = content.get("epoch"), content.get("global_step")
    state = path.stat()
    row = {
        "run": run, "kind": kind, "path": str(path), "sha256": sha256(path), "size": state.st_size,
        "epoch": epoch if isinstance(epoch, int) else 0, "step": step if isinstance(step, int) else 0,
        "metric": monitor, "value": dict(figures).get(monitor), "time": state.st_mtime,
    }  # fmt: skip
    return row, figures


def _event(run: str, message: str) -> dict[str, Any]:
    return {"run": run, "time": time.time(), "level": "warning", "message": message}


def _seconds(text: str) -> float:
    try:
        return time.mktime(time.strptime(text, "%Y%m%d-%H%M%S"))
    except (ValueError, OverflowError):
        return time.time()
