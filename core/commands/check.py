"""`isocenter check`: where an experiment departs from what the system was asked to be."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from core.commands.console import Progress, answer, answer_json
from core.errors import ConfigError


def add(commands: Any) -> None:
    parser = commands.add_parser("check", help="where an experiment departs from the requirements of its system")
    parser.add_argument("config", metavar="CONFIG", help="a preset's name or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.path=COHORT trainer.epochs=20")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core import config

    experiment = config.load(args.config, args.overrides)
    with Progress() as progress:
        found = experiment.task.check(experiment, progress.control())
    if found is None:
        raise ConfigError(f"nothing was asked of the task {experiment.task.name}", where=args.config)
    if args.json:
        answer_json({"config": args.config, "departures": [departure.as_dict() for departure in found]})
        return 0
    for departure in found:
        answer(departure.text)
    answer(
        f"{len(found)} departure{'s' if len(found) > 1 else ''}."
        if found
        else "Every setting is as the system was asked to have it."
    )
    return 0
