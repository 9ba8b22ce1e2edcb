"""The fit of a prepared run: its data, network and callbacks put together in one trainer."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from core import world
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.errors import OutOfMemory
from core.kept import kept_experiment
from core.training import memory, tensorboard
from core.training.control import StopRequested
from core.training.resuming import resume_point


def fit(
    run: RunRow, catalog: Catalog, *, resume: bool, beside_window: bool, job: JobControl, smaller: int = 0
) -> None:  # fmt: skip
    """Train a prepared run in the calling thread, from its last checkpoint where `resume` says so.

    A step that does not fit into memory is tried again in smaller pieces, from the last checkpoint on, where this
    process is alone. Several call this each for its part, and only the first writes to the catalog; one that runs out
    of memory raises OutOfMemory, and whoever started them may begin again with `smaller`, how often to make pieces.
    Raises StopRequested when asked to stop, IsocenterError for what a person can mend.
    """
    experiment = kept_experiment(run)
    for _ in range(smaller):
        experiment, _change = memory.smaller(experiment) or (experiment, "")
    for _ in range(1 + (memory.TIMES if world.size() == 1 else 0)):
        try:
            return _fit(experiment, run, catalog, resume=resume, beside_window=beside_window, job=job)
        except (MemoryError, RuntimeError) as error:
            if not memory.is_out_of_memory(error):
                raise
            told = str(error).partition("\n")[0]
        # Out of the handler, whose traceback holds the tensors of the attempt.
        memory.release()
        retry = memory.smaller(experiment) if world.size() == 1 else None
        if retry is None:
            break
        experiment, change = retry
        catalog.add_event(run.id, "warning", memory.told(change))
        run, resume = catalog.run(run.id), True
    raise OutOfMemory(
        f"a training step does not fit into memory ({told})", where=run.id,
        mend="The checkpoints from before are kept. Choose a smaller data.patch_size or a smaller network.",
    )  # fmt: skip


def _fit(experiment: Any, run: RunRow, catalog: Catalog, *, resume: bool, beside_window: bool, job: JobControl) -> None:
    checkpoint = resume_point(catalog, run) if resume else None
    job.progress(None, "Loading the training engine")
    # From here on, torch and Lightning: seconds of imports that nothing else in this module needs.
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
    from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    from core.training.averaging import weight_averaging
    from core.training.checkpoints import CrashSafeCheckpoints
    from core.training.debugging import LayerDebugger
    from core.training.devices import choose, threads
    from core.training.layout import lay_out_for_cpu
    from core.training.pace import Pace
    from core.training.precision import described, probe, remember, remembered
    from core.training.recorder import LastCheckpoint, MetricWriter, Recorder, record_pause

    def tell(message: str) -> None:
        if world.first():
            catalog.add_event(run.id, "info", message)

    settings = experiment.trainer
    device = choose(settings.device, settings.precision)
    torch.set_num_threads(settings.threads or max(threads(beside_window=beside_window) // world.local_size(), 1))
    torch.manual_seed(experiment.seed)
    with world.first_leads():
        session = experiment.task.session(experiment, run, job)
    module = session.module
    if session.volumes and device == "cpu":
        lay_out_for_cpu(module.network)
    precision = settings.precision
    if precision == "auto" and device == "cuda" and session.gpu_precision:
        precision = session.gpu_precision
        tell(f"Precision {precision}.")
    if precision == "auto" and resume:
        precision = remembered(run.folder, device)  # two probes may choose differently
    if precision == "auto":
        timed = probe(module, session.train, device) if session.volumes else ("32", {})
        precision, seconds = world.share(timed)  # all take the same
        if session.volumes:
            tell(described(precision, seconds))
    if world.first():
        remember(run.folder, device, precision)
    monitor, mode = experiment.task.monitor, experiment.task.monitor_mode
    folder = run.folder / "checkpoints"
    writer = MetricWriter(run.id)
    board = tensorboard.open_log(run.folder) if settings.tensorboard and world.first() else None
    pace = Pace(run.id, experiment, lambda paused: record_pause(catalog, run.id, paused))
    callbacks: list[Callback] = [pace]
    if world.first():
        # Steps beyond the checkpoint are done again, and would stand there twice.
        again_after = None if not resume else -1 if checkpoint is None else checkpoint.step
        callbacks.append(Recorder(run.id, catalog, writer, pace, monitor, board, again_after))
    if settings.debug and world.first():
        callbacks.append(LayerDebugger(run.folder, tell))
    if (watch := experiment.scheduler.watch(monitor, tell, mode=mode)) is not None:
        callbacks.append(watch)
    if settings.ema:
        callbacks.append(weight_averaging(settings.ema))
    if settings.early_stopping:
        callbacks.append(EarlyStopping(monitor, patience=settings.early_stopping, mode=mode))
    callbacks.append(
        ModelCheckpoint(folder, "best", monitor=monitor, mode=mode, save_top_k=1, enable_version_counter=False)
    )
    callbacks.append(LastCheckpoint(folder / "last.ckpt"))
    if world.first():
        callbacks += session.callbacks
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its tips advertise
    alone = world.size() == 1
    # torch's normalisation over the batches of all processes is for GPUs only.
    together = {} if alone else {
        "strategy": DDPStrategy(), "num_nodes": world.size() // world.local_size(), "use_distributed_sampler": False,
        "sync_batchnorm": device == "cuda",
    }  # fmt: skip
    trainer = pl.Trainer(
        accelerator=device, devices=world.local_size(), precision=precision, max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate,
        # A module that takes its steps itself clips them itself.
        gradient_clip_val=(settings.gradient_clip or None) if module.automatic_optimization else None,
        gradient_clip_algorithm=settings.gradient_clip_by if module.automatic_optimization else None,
        check_val_every_n_epoch=settings.validate_every, num_sanity_val_steps=0, callbacks=callbacks, logger=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=run.folder,
        # An explicit environment: a cluster's variables in the user's shell must not change what the window does.
        plugins=[
            CrashSafeCheckpoints(run.id, monitor, module.network),
            LightningEnvironment() if alone else TorchElasticEnvironment(),
        ],
        **together,
    )  # fmt: skip
    parameters = sum(p.numel() for p in module.network.parameters())
    processes = "" if alone else f"{world.size()} processes of "
    tell(f"{parameters / 1e6:.2f} M parameters on {device}, {processes}{torch.get_num_threads()} threads.")
    job.progress(None, "Training")
    if world.first():
        writer.start()
    try:
        with warnings.catch_warnings():
            # Lightning's own: a thread prepares the batches here, a resumed run's folder is not empty, a torch rename.
            for said in (
                ".*does not have many workers.*",
                "Checkpoint directory .* exists",
                ".*LeafSpec.*is deprecated",
                "Found .* module.* in eval mode",  # frozen parts, and targets of pretraining
            ):
                warnings.filterwarnings("ignore", said)
            trainer.fit(
                module, session.train, session.val,
                ckpt_path=str(checkpoint.path) if checkpoint else None, weights_only=True,
            )  # fmt: skip
    except (StopRequested, SIGTERMException) as ended:
        # Lightning ends the fit by itself after a polite kill, which asks for no more than a stop. Processes that train
        # together are killed so when one of them has died.
        if world.size() > 1 and not isinstance(ended, StopRequested):
            raise
        request = ended if isinstance(ended, StopRequested) else StopRequested()
        if not request.discard and not world.share((folder / "last.ckpt").exists()):
            trainer.save_checkpoint(folder / "last.ckpt")  # stopped within the first epoch: keep what there is
        raise request from None
    finally:
        if world.first():
            writer.close()
        if board is not None:
            board.close()
