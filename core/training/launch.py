"""Starting, resuming and ending a run: the same two calls from the window's thread and from the command line."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import secrets
import shutil
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import yaml

import core
from core import config
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.data.dataset import Dataset, discover, inspect
from core.data.plan import Plan
from core.data.split import draw
from core.errors import Cancelled, ConfigError, DatasetError, IsocenterError, ModelError
from core.files import write_text
from core.paths import ensure_home, home, runs_folder
from core.training import control, tensorboard
from core.training.control import StopRequested
from core.training.planning import check_split, class_shares, make_plan

log = logging.getLogger(__name__)


def prepare_run(experiment: Any, job: JobControl | None = None) -> str:
    """Check the data, fix the plan and the split, make the run's folder and catalog row; returns the run's id.

    Raises DatasetError or ConfigError before anything is written.
    """
    if experiment.data.path is None:
        raise ConfigError("no data set is chosen", mend="Set data.path to a folder of images and labels.")
    if experiment.trainer.tensorboard:
        tensorboard.require()
    dataset = inspect(experiment.data.path.expanduser().absolute(), job)
    dataset.require_usable()
    plan = make_plan(experiment, dataset)
    split = draw(
        dataset,
        val_fraction=experiment.data.val_fraction,
        test_fraction=experiment.data.test_fraction,
        seed=experiment.seed,
    )
    check_split(dataset, split, plan)
    if experiment.task.balance_classes:
        plan = plan.model_copy(update={"class_shares": class_shares(dataset, split.train, plan)})
    ensure_home()
    slug = "".join(c if c.isalnum() else "-" for c in experiment.name.lower()).strip("-")[:40]
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"
    folder = runs_folder() / run_id
    folder.mkdir(parents=True)
    write_text(folder / "experiment.yaml", config.to_yaml(experiment))
    write_text(folder / "plan.yaml", yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False))
    write_text(folder / "split.json", json.dumps(split.as_dict(), indent=1))
    write_text(folder / "environment.json", json.dumps(_environment(), indent=1))
    with Catalog() as catalog:
        catalog.add_dataset(
            path=dataset.path,
            layout=dataset.layout,
            cases=len(dataset.cases),
            findings=[finding.as_dict() for finding in dataset.findings],
        )
        catalog.add_run(
            id=run_id, name=experiment.name, task=experiment.task.name, config=config.to_yaml(experiment),
            data_path=str(dataset.path), folder=folder, epochs=experiment.trainer.epochs,
        )  # fmt: skip
        _describe(catalog, run_id, dataset, plan, split.as_dict())
    return run_id


def _describe(catalog: Catalog, run_id: str, dataset: Dataset, plan: Plan, split: dict[str, list[str]]) -> None:
    patch, spacing = (" x ".join(f"{n:g}" for n in of) for of in (plan.patch_size, plan.spacing_mm))
    parts = ", ".join(f"{len(ids)} {part}" for part, ids in split.items() if ids)
    names = ", ".join(label.name for label in plan.labels)
    catalog.add_event(run_id, "info", f"{len(dataset.cases)} cases ({parts}) with {names}.")
    catalog.add_event(run_id, "info", f"Patches of {patch} voxels at {spacing} mm.")
    for finding in dataset.findings:
        catalog.add_event(run_id, finding.severity, finding.message)


def load_plan(folder: Path) -> Plan:
    """The plan of a run's folder."""
    return Plan.model_validate(config.read_yaml((folder / "plan.yaml").read_text(encoding="utf-8")))


def execute(run_id: str, *, resume: bool = False, beside_window: bool = False, job: JobControl | None = None) -> RunRow:
    """Train a prepared run to its end, in the calling thread; returns its row.

    The run ends as `finished`, `stopped` (asked to; best and last checkpoint kept) or `failed`; a failure is recorded
    and raised: an IsocenterError as it is, anything else wrapped by none.
    """
    with Catalog() as catalog:
        run = catalog.run(run_id)
        if run.live and resume:
            raise ConfigError(f"the run is {run.state} already", where=run_id)
        control.clear(run.id)
        catalog.update_run(
            run.id, state="running", started=run.started or time.time(), ended=None, error=None, heartbeat=time.time(),
            pid=os.getpid(), host=platform.node(),
        )  # fmt: skip
        try:
            _fit(run, catalog, resume=resume, beside_window=beside_window, job=job or JobControl())
        except (StopRequested, Cancelled) as request:
            if isinstance(request, StopRequested) and request.discard:
                delete_run(catalog, run)
                return run
            _end(catalog, run, "stopped", "Stopped; the best and the last checkpoint are kept.")
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
    """The validation metrics at the epoch of the best checkpoint."""
    best = catalog.checkpoint(run_id, "best")
    points = [p for p in catalog.metrics(run_id) if p.key.startswith("val/")]
    if best is None or not points:
        return {}
    return {"epoch": best.epoch + 1} | {p.key: p.value for p in points if p.epoch == best.epoch}


def _fit(run: RunRow, catalog: Catalog, *, resume: bool, beside_window: bool, job: JobControl) -> None:
    experiment = config.parse(config.read_yaml(run.config), where=run.folder)
    plan = load_plan(run.folder)
    split = json.loads((run.folder / "split.json").read_text(encoding="utf-8"))
    checkpoint = _resume_point(catalog, run) if resume else None
    job.progress(None, "Loading the training engine")
    # From here on, torch and Lightning: seconds of imports that nothing else in this module needs.
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
    from lightning.pytorch.plugins.environments import LightningEnvironment

    from core.data.patches import CaseCache, train_loader, validation_loader
    from core.training.averaging import weight_averaging
    from core.training.checkpoints import CrashSafeCheckpoints
    from core.training.debugging import LayerDebugger
    from core.training.devices import choose, threads
    from core.training.recorder import LastCheckpoint, MetricWriter, Recorder

    settings = experiment.trainer
    device = choose(settings.device, settings.precision)
    torch.set_num_threads(settings.threads or threads(beside_window=beside_window))
    torch.manual_seed(experiment.seed)
    _, cases, _ = discover(Path(run.data_path))
    wanted = {id for ids in split.values() for id in ids}
    missing = wanted - {case.id for case in cases}
    if missing:
        raise DatasetError(f"{len(missing)} cases of the run are gone, such as {min(missing)}", where=run.data_path)
    cache = CaseCache(_cache_folder(run, plan), [c for c in cases if c.id in {*split["train"], *split["val"]}], plan)
    cache.fill(job)
    module = experiment.task.build(experiment, plan)
    if device == "cpu":
        module.network.to(memory_format=torch.channels_last_3d)  # measured 1.1-1.3 x faster steps with these networks
    writer = MetricWriter(run.id)
    monitor = experiment.task.monitor
    folder = run.folder / "checkpoints"
    board = tensorboard.open_log(run.folder) if settings.tensorboard else None

    def tell(message: str) -> None:
        catalog.add_event(run.id, "info", message)

    callbacks: list[Callback] = [Recorder(run.id, run.folder, catalog, writer, experiment, board)]
    if settings.debug:
        callbacks.append(LayerDebugger(run.folder, tell))
    if (watch := experiment.scheduler.watch(monitor, tell)) is not None:
        callbacks.append(watch)
    if settings.ema:
        callbacks.append(weight_averaging(settings.ema))
    if settings.early_stopping:
        callbacks.append(EarlyStopping(monitor, patience=settings.early_stopping, mode="max"))
    callbacks.append(
        ModelCheckpoint(folder, "best", monitor=monitor, mode="max", save_top_k=1, enable_version_counter=False)
    )
    callbacks.append(LastCheckpoint(folder / "last.ckpt"))
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its tips advertise
    trainer = pl.Trainer(
        accelerator=device, devices=1, precision=settings.precision, max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate, gradient_clip_val=settings.gradient_clip or None,
        check_val_every_n_epoch=settings.validate_every, num_sanity_val_steps=0, callbacks=callbacks, logger=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=run.folder,
        # An explicit environment: a cluster's variables in the user's shell must not change what the window does.
        plugins=[CrashSafeCheckpoints(run.id, monitor), LightningEnvironment()],
    )  # fmt: skip
    parameters = sum(p.numel() for p in module.network.parameters())
    catalog.add_event(
        run.id, "info", f"{parameters / 1e6:.2f} M parameters on {device}, {torch.get_num_threads()} threads."
    )
    job.progress(None, "Training")
    writer.start()
    try:
        with warnings.catch_warnings():
            # Lightning's own: a thread prepares the batches here, a resumed run's folder is not empty, a torch rename.
            for said in (
                ".*does not have many workers.*",
                "Checkpoint directory .* exists",
                ".*LeafSpec.*is deprecated",
            ):
                warnings.filterwarnings("ignore", said)
            trainer.fit(
                module, train_loader(cache, split["train"], experiment), validation_loader(cache, split["val"]),
                ckpt_path=str(checkpoint) if checkpoint else None, weights_only=True,
            )  # fmt: skip
    except StopRequested as request:
        if not request.discard and not (folder / "last.ckpt").exists():
            trainer.save_checkpoint(folder / "last.ckpt")  # stopped within the first epoch: keep what there is
        raise
    finally:
        writer.close()
        if board is not None:
            board.close()


def _resume_point(catalog: Catalog, run: RunRow) -> Path | None:
    """The last checkpoint, if it stands at the end of an epoch; a run stopped in its first epoch begins anew."""
    row = catalog.checkpoint(run.id, "last")
    if row is None or run.epoch == 0:
        return None
    if not row.path.is_file():
        raise ModelError("the run's last checkpoint is gone", where=row.path, mend="Start the run anew.")
    return row.path


def _cache_folder(run: RunRow, plan: Plan) -> Path:
    """Prepared cases are shared by runs on the same files with the same grid and labels."""
    import hashlib

    labels = [*(label.value for label in plan.labels), plan.ignore_label]
    key = json.dumps([run.data_path, core.__version__, plan.spacing_mm, labels])
    for file in sorted(Path(run.data_path).glob("*/*.nii*")):
        facts = file.stat()
        key += f"{file.name} {facts.st_size} {facts.st_mtime_ns}"
    return home() / "cache" / hashlib.sha256(key.encode()).hexdigest()[:16]


def _environment() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "lightning", "monai", "nibabel", "numpy", "scipy")
    return {"isocenter": core.__version__, "python": platform.python_version(), "platform": platform.platform()} | {
        name: version(name) for name in packages
    }
