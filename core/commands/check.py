"""`isocenter check`: where an experiment departs from what the system was asked to be, and what is odd in its data."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from core.commands.console import Progress, answer, answer_json
from core.errors import ConfigError


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check", help="where an experiment departs from the requirements of its system, and what is wrong with its data"
    )
    parser.add_argument("config", metavar="CONFIG", help="a preset's name or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.path=COHORT trainer.epochs=20")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core import config

    experiment = config.load(args.config, args.overrides)
    chosen = experiment.data.path is not None
    with Progress() as progress:
        found = experiment.task.check(experiment, progress.control())
        data = experiment.task.inspect(experiment, progress.control()) if found is not None and chosen else None
    if found is None:
        raise ConfigError(
            f"nothing was asked of the task {experiment.task.name}, so there is nothing to depart from",
            where=args.config, mend="`isocenter plan` tells what the run would be, and checks its data.",
        )  # fmt: skip
    if args.json:
        told: dict[str, Any] = {"config": args.config, "departures": [departure.as_dict() for departure in found]}
        if data is not None:
            told |= {"data": data.summary(), "findings": [finding.as_dict() for finding in data.findings]}
        answer_json(told)
        return 0
    if data is not None:
        answer(data.summary())
        for finding in data.findings:
            answer(f"{finding.severity}: {finding.message}")
    for departure in found:
        answer(departure.text)
    answer(
        f"{len(found)} departure{'s' if len(found) > 1 else ''}."
        if found
        else "Every setting is as the system was asked to have it."
    )
    return 0
