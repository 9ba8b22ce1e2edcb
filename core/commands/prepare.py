"""`isocenter prepare`: a cohort's raw scans brought to template space, ahead of training."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json


def add(commands: Any) -> None:
    parser = commands.add_parser("prepare", help="bring a cohort's raw MRI and PET to template space")
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="a BIDS folder, or a table with paths of the scans")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the prepared cohort; goes on where it stopped")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.data.cohort.preparing import prepare_cohort
    from core.data.cohort.settings import CohortDataConfig

    started = time.monotonic()
    with Progress() as progress:
        rows = prepare_cohort(args.cohort, args.out, CohortDataConfig(), progress.control())
    failed = [row for row in rows if row.state == "failed"]
    if args.json:
        answer_json(
            {
                "output": str(args.out), "subjects": [row.as_dict() for row in rows],
                "prepared": len(rows) - len(failed), "failed": len(failed),
                "seconds": round(time.monotonic() - started, 1),
            }
        )  # fmt: skip
        return 0
    answer(f"{args.out}: {len(rows) - len(failed)} of {len(rows)} subjects prepared")
    for row in failed:
        answer(f"failed: {row.subject} {row.visit}".rstrip() + f": {row.message}")
    return 0
