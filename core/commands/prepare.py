"""`isocenter prepare`: a cohort's raw scans brought to template space, ahead of training."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, say
from core.errors import ConfigError

PRESET = "alzheimers"


def add(commands: Any) -> None:
    parser = commands.add_parser("prepare", help="bring a cohort's raw MRI and PET to template space")
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="a BIDS folder, or a table with paths of the scans")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the prepared cohort; goes on where it stopped")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value",
        help="how the table is read, as for training: data.columns.subject=ID data.missing_codes=[-4]",
    )  # fmt: skip
    parser.add_argument("--config", metavar="CONFIG", help="take that from an experiment's data block: a YAML file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.data.cohort.preparing import prepare_cohort

    data = _reading(args.config, args.overrides)
    started = time.monotonic()
    with Progress() as progress:
        rows, findings = prepare_cohort(args.cohort, args.out, data, progress.control())
    for finding in findings:
        if finding.severity != "info":
            say(f"{finding.severity}: {finding.message}")
    failed = [row for row in rows if row.state == "failed"]
    if args.json:
        answer_json(
            {
                "output": str(args.out), "subjects": [row.as_dict() for row in rows],
                "prepared": len(rows) - len(failed), "failed": len(failed),
                "findings": [finding.as_dict() for finding in findings],
                "seconds": round(time.monotonic() - started, 1),
            }
        )  # fmt: skip
        return 2 if failed else 0
    answer(f"{args.out}: {len(rows) - len(failed)} of {len(rows)} subjects prepared")
    for row in failed:
        answer(f"failed: {row.subject} {row.visit}".rstrip() + f": {row.message}")
    return 2 if failed else 0


def _reading(source: str | None, overrides: list[str]) -> Any:
    """How the table is read: the data block of an experiment, with overrides of it."""
    from core import config

    for override in overrides:
        key = override.partition("=")[0]
        if not key.startswith("data.") or key == "data.path":
            raise ConfigError(
                f"{key} says nothing about how the table is read",
                mend="Give keys such as data.columns.mri; COHORT says which table.",
            )
    data = config.load(source or PRESET, overrides).data
    if not hasattr(data, "columns") or not hasattr(data.columns, "mri"):
        raise ConfigError("this is no experiment on a cohort", where=source)
    return data
