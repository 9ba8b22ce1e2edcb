"""`isocenter train`: run an experiment or its cross-validation, or go on with one.

Ctrl-C asks it to stop and keeps its checkpoints.
"""

from __future__ import annotations

import signal
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.commands.console import Progress, answer, answer_json, say
from core.errors import ConfigError

INTERRUPTED = 130
MOST_FINDINGS = 20


def add(commands: Any) -> None:
    parser = commands.add_parser("train", help="train from a preset or a YAML file")
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="a preset's name or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.path=FOLDER trainer.epochs=20")
    parser.add_argument("--resume", metavar="RUN", help="go on with this run, or with a cross-validation's open folds")
    parser.add_argument(
        "--from", dest="start", choices=("last", "best"), default="last", help="with --resume: the checkpoint"
    )
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate: K runs, each with a fold kept out")
    parser.add_argument("--only", metavar="0,2", help="of a cross-validation, only these folds, counted from 0")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core import world

    with world.joined():
        return _run(args)


def _run(args: Namespace) -> int:
    from core import config, world
    from core.catalog import Catalog
    from core.catalog.groups import group_meant
    from core.training.launch import execute, prepare_run
    from core.training.resuming import take_best_as_last

    if bool(args.config) == bool(args.resume):
        raise ConfigError("give either an experiment or --resume RUN")
    if not world.first():  # torchrun started this one beside the first, which prepares the run and tells of it
        execute(world.share(""), resume=bool(args.resume))
        return 0
    with Catalog() as catalog:
        catalog.mark_interrupted()
        group = group_meant(catalog, args.resume) if args.resume else None
        run_id = catalog.run(args.resume).id if args.resume and group is None else ""
        if args.start == "best":
            if not run_id:
                raise ConfigError("--from best goes with --resume and a single run")
            if (row := catalog.run(run_id)).live:
                raise ConfigError(f"the run is {row.state} already", where=run_id)
            take_best_as_last(catalog, row)
    if args.folds is not None or group is not None:
        if world.size() > 1:
            raise ConfigError("torchrun cannot train folds", mend="Set trainer.devices instead, without torchrun.")
        if args.folds is not None and args.resume:
            raise ConfigError("a cross-validation keeps its folds", mend="Leave out --folds, or begin a new one.")
        return _cross_validate(args)
    if args.only is not None:
        raise ConfigError("--only chooses folds", mend="Give --folds K too, or --resume with a cross-validation.")
    with Progress() as progress:
        run_id = run_id or prepare_run(config.load(args.config, args.overrides), progress.control())
    world.share(run_id)
    if not args.resume:
        _tell_findings(run_id)
    say(f"Run {run_id}. Ctrl-C stops it and keeps its checkpoints.")
    with _stopping(lambda: run_id) as interrupted:
        row = execute(run_id, resume=bool(args.resume))
    with Catalog() as catalog:
        checkpoints = {checkpoint.kind: str(checkpoint.path) for checkpoint in catalog.checkpoints(run_id)}
    if args.json:
        answer_json({"run": run_id, "state": row.state, "metrics": row.summary, "checkpoints": checkpoints})
    else:
        figures = ", ".join(f"{key} {value:.4f}" for key, value in row.summary.items() if key.startswith("val/"))
        answer(f"{run_id} {row.state}. {figures}".rstrip())
    return INTERRUPTED if interrupted.is_set() else 0


def _tell_findings(run_id: str) -> None:
    """What the check of the data found, in one list before the training."""
    from core.catalog import Catalog

    with Catalog() as catalog:
        found = [event for event in catalog.events(run_id) if event.level in ("warning", "error")]
    for event in found[:MOST_FINDINGS]:
        say(f"{event.level}: {event.message}")
    if len(found) > MOST_FINDINGS:
        say(f"and {len(found) - MOST_FINDINGS} more findings: isocenter runs show {run_id}")


def _cross_validate(args: Namespace) -> int:
    from core import config
    from core.catalog import Catalog
    from core.catalog.groups import state_of
    from core.training import cross_validation

    only = _fold_numbers(args.only)
    current = ""

    def started(fold: int, run_id: str) -> None:
        nonlocal current
        if not current:
            _tell_findings(run_id)
        current = run_id
        say(f"Fold {fold}: run {run_id}.")

    with Progress() as progress:
        control = progress.control()
        if args.resume:
            validation = cross_validation.reopen(args.resume, control)
        else:
            validation = cross_validation.prepare(config.load(args.config, args.overrides), args.folds, control)
    group = validation.group
    say(f"Cross-validation {group.id}. Ctrl-C stops it; --resume {group.id} goes on with it.")
    with _stopping(lambda: current) as interrupted:
        runs = validation.train(only, started=started)
    state = state_of(group.size, runs)
    if args.json:
        with Catalog() as catalog:
            folds = [
                {"fold": fold, "run": run.id, "state": run.state, "error": run.error, "metrics": run.summary,
                 "checkpoints": {row.kind: str(row.path) for row in catalog.checkpoints(run.id)}}
                for fold, run in runs.items()
            ]  # fmt: skip
        answer_json({"group": group.id, "state": state, "folds": folds})
    else:
        for fold, run in runs.items():
            key = next((key for key in ("val/dice", "val/auroc", "val/loss") if key in run.summary), None)
            answer(f"fold {fold}  {run.state}" + ("" if key is None else f"  {key} {run.summary[key]:.4f}"))
        answer(f"{group.id} {state}. `isocenter runs folds {group.id}` measures it.")
    return INTERRUPTED if interrupted.is_set() else 1 if state == "failed" else 0


def _fold_numbers(text: str | None) -> list[int] | None:
    """The folds that `--only 0,2` names. Raises ConfigError for anything else."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--only {text}: these are no folds", mend="Write their numbers, such as 0,2.") from None


@contextmanager
def _stopping(run_id: Callable[[], str]) -> Iterator[threading.Event]:
    """Within the block Ctrl-C or a polite kill asks the run that is going on to stop; the second ends it at once."""
    from core import world
    from core.training.control import request

    interrupted = threading.Event()
    asking = (signal.SIGINT, signal.SIGTERM) if world.size() == 1 else (signal.SIGINT,)  # torchrun ends its own so
    before = {number: signal.getsignal(number) for number in asking}

    def on_interrupt(_number: int, _frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        if run_id():
            request(run_id(), "stop")
        say("Stopping after this step; Ctrl-C again ends it at once.")

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    for number in asking:
        signal.signal(number, on_interrupt)
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
