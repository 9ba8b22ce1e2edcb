"""Starting, resuming and ending a run: the same two calls from the window's thread and from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import time
import traceback
from typing import Any

import core
from core import config, world
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.errors import Cancelled, ConfigError, IsocenterError
from core.files import write_bytes, write_text
from core.kept import EXPERIMENT, kept_experiment
from core.paths import ensure_home, runs_folder
from core.training import control, tensorboard
from core.training.control import StopRequested
from core.training.fit import fit
from core.training.given import Preparation
from core.training.resuming import resume_point
from core.training.supervisor import supervise

STOPPED = "Stopped; the best and the last checkpoint are kept."
STOPPED_EARLY = "Stopped before the first validation: only the last checkpoint is kept, to go on from."


def prepare_run(experiment: Any, job: JobControl | None = None) -> str:
    """Check the data, fix the plan and the split, make the run's folder and catalog row; returns the run's id.

    Raises DatasetError or ConfigError before anything is written.
    """
    if experiment.trainer.tensorboard:
        tensorboard.require()
    return add_run(experiment.task.prepare(experiment, job or JobControl()))


def new_id(name: str) -> str:
    """An id that sorts by time and can be told from others by eye."""
    slug = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")[:40]
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"


def add_run(ready: Preparation, *, run_group: str | None = None, fold: int | None = None) -> str:
    """Make the folder and the catalog row of a run that is prepared; returns its id."""
    experiment = ready.experiment
    ensure_home()
    name = experiment.name if fold is None else f"{experiment.name} fold {fold}"
    run_id = new_id(name)
    folder = runs_folder() / run_id
    folder.mkdir(parents=True)
    write_text(folder / EXPERIMENT, config.to_yaml(experiment))
    for file, text in ready.files.items():
        write_text(folder / file, text)
    for file, content in ready.long_files.items():
        write_bytes(folder / file, content)
    write_text(folder / "environment.json", json.dumps(_environment(), indent=1))
    with Catalog() as catalog:
        findings = [finding.as_dict() for finding in ready.findings]
        catalog.add_dataset(path=ready.data_path, layout=ready.layout, cases=ready.cases, findings=findings)
        catalog.add_run(
            id=run_id, name=name, task=experiment.task.name, config=config.to_yaml(experiment),
            data_path=str(ready.data_path), folder=folder, epochs=experiment.trainer.epochs, run_group=run_group,
            fold=fold,
        )  # fmt: skip
        for remark in ready.remarks:
            catalog.add_event(run_id, "info", remark)
        for finding in ready.findings:
            catalog.add_event(run_id, finding.severity, finding.message)
    return run_id


def execute(run_id: str, *, resume: bool = False, beside_window: bool = False, job: JobControl | None = None) -> RunRow:
    """Train a prepared run to its end, in the calling thread or in processes that it watches; returns its row.

    The run ends as `finished`, `stopped` (asked to; best and last checkpoint kept) or `failed`; a failure is recorded
    and raised: an IsocenterError as it is, anything else wrapped by none.
    """
    with Catalog() as catalog:
        run = catalog.run(run_id)
        job = job or JobControl()
        if not world.first():  # the first process keeps the catalog
            with contextlib.suppress(StopRequested, Cancelled):
                fit(run, catalog, resume=resume, beside_window=False, job=job)
            return run
        if run.live and resume:
            raise ConfigError(f"the run is {run.state} already", where=run_id)
        devices = kept_experiment(run).trainer.devices  # damaged settings leave the run as it is
        if resume:
            resume_point(catalog, run)  # and so does a checkpoint that cannot be gone on from
        control.clear(run.id)
        catalog.update_run(
            run.id, state="running", started=run.started or time.time(), ended=None, error=None, heartbeat=time.time(),
            pid=os.getpid(), host=platform.node(),
        )  # fmt: skip
        try:
            if devices > 1 and world.size() == 1:
                supervise(run, devices, resume=resume, beside_window=beside_window, job=job)
            else:
                fit(run, catalog, resume=resume, beside_window=beside_window, job=job)
        except (StopRequested, Cancelled) as request:
            if isinstance(request, StopRequested) and request.discard:
                delete_run(catalog, run)
                return run
            kept = catalog.checkpoint(run.id, "best") is not None
            _end(catalog, run, "stopped", STOPPED if kept else STOPPED_EARLY)
        except BaseException as error:
            known = isinstance(error, IsocenterError)
            message = str(error) if known else f"Unexpected {type(error).__name__}: {error}"
            # On a full disk these may fail too; the first error is the one to tell.
            with contextlib.suppress(IsocenterError):
                write_text(run.folder / "error.txt", traceback.format_exc())
            with contextlib.suppress(IsocenterError):
                _end(catalog, run, "failed", message, error=message)
            raise
        else:
            _end(catalog, run, "finished", "Finished.")
        return catalog.run(run.id)


def delete_run(catalog: Catalog, run: RunRow) -> None:
    """Forget a run and remove its folder."""
    catalog.delete_run(run.id)
    if run.folder.parent == runs_folder():  # never a folder that a damaged row names
        shutil.rmtree(run.folder, ignore_errors=True)


def _end(catalog: Catalog, run: RunRow, state: str, message: str, *, error: str | None = None) -> None:
    catalog.update_run(run.id, state=state, ended=time.time(), error=error, summary=_summary(catalog, run.id))
    catalog.add_event(run.id, "error" if error else "info", message)


def _summary(catalog: Catalog, run_id: str) -> dict[str, float]:
    """The validation metrics at the epoch of the best checkpoint, and what a test of that found."""
    best = catalog.checkpoint(run_id, "best")
    points = catalog.metrics(run_id)
    held_out = [p for p in points if p.key.startswith("val/") and best is not None and p.epoch == best.epoch]
    if best is None or not held_out:
        return {}
    tested = [p for p in points if p.key.startswith("test/")]
    return {"epoch": best.epoch + 1} | {p.key: p.value for p in [*held_out, *tested]}


def _environment() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "lightning", "monai", "nibabel", "numpy", "scipy")
    return {"isocenter": core.__version__, "python": platform.python_version(), "platform": platform.platform()} | {
        name: version(name) for name in packages
    }
