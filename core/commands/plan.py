"""`isocenter plan`: what a run would be, each value with its reason, before anything is trained."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.console import Progress, answer, answer_json
from core.errors import ConfigError

if TYPE_CHECKING:
    from core.control import JobControl
    from core.training.estimate import Estimate
    from core.training.planning import Proposal

PRESET = "segmentation"  # leaves everything that can be planned to the planner
WIDTH = 100


def add(commands: Any) -> None:
    parser = commands.add_parser("plan", help="what a run would be, planned from the data, and why")
    parser.add_argument("config", metavar="CONFIG|DATA", help="a preset's name, a YAML file, or a data set's folder")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.path=FOLDER trainer.epochs=20")
    parser.add_argument("--estimate", action="store_true", help="time a few steps: how long it takes, how much memory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    experiment = _experiment(args.config, args.overrides)
    with Progress() as progress:
        data = experiment.task.inspect(experiment, progress.control())
        proposal = experiment.task.propose(experiment, data)
        if proposal is None:
            raise ConfigError(f"the task {experiment.task.name} plans nothing from its data", where=args.config)
        expected = _estimate(experiment, data, progress.control()) if args.estimate else None
    warnings = [finding.message for finding in data.findings if finding.severity == "warning"]
    if expected is not None and expected.memory > proposal.machine.memory:
        warnings.append(f"The run needs {expected.memory_text()}, more than there is.")
    if args.json:
        figures = {} if expected is None else {"estimate": expected.as_dict() | {"text": expected.time_text()}}
        answer_json(_as_dict(proposal, data.summary(), warnings) | figures)
    else:
        _print(proposal, data.summary(), expected, warnings)
    return 0


def _estimate(experiment: Any, data: Any, control: JobControl) -> Estimate:
    from core.training.estimate import estimate

    trial = experiment.task.trial(experiment, data)
    if trial is None:
        raise ConfigError(f"there is no trial of the task {experiment.task.name}", mend="Leave out --estimate.")
    return estimate(trial, control.naming("Trial", None))


def _experiment(source: str, overrides: list[str]) -> Any:
    """The experiment of a preset or a file; a folder is a data set for the preset that plans everything."""
    from core import config

    if source not in config.presets() and Path(source).is_dir():
        return config.load(PRESET, [f"data.path={Path(source).absolute()}", *overrides])
    return config.load(source, overrides)


def _as_dict(proposal: Proposal, data: str, warnings: list[str]) -> dict[str, Any]:
    choices = [
        {"key": c.key, "title": c.title, "value": c.value, "reason": c.reason, "planned": not c.by_user}
        for c in proposal.choices
    ]
    return {"data": data, "machine": proposal.machine.summary(), "choices": choices, "warnings": warnings}


def _print(proposal: Proposal, data: str, expected: Estimate | None, warnings: list[str]) -> None:
    answer(f"{data}, on {proposal.machine.summary()}")
    answer("")
    titles = max(len(choice.title) for choice in proposal.choices)
    values = max(len(choice.text) for choice in proposal.choices)
    for choice in proposal.choices:
        begin = f"{choice.title:<{titles}}  {choice.text:<{values}}  "
        answer(textwrap.fill(choice.reason, WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin)))
    if expected is not None:
        answer("\nExpected, from a trial of a few steps:")
        for name, value in expected.rows():
            answer(f"{name:<{titles}}  {value}")
    for warning in warnings:
        answer(textwrap.fill(warning, WIDTH, initial_indent="\nWarning: "))
