"""`isocenter runs recover`: runs whose rows are gone, taken in again from their folders."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, say


def add(actions: Any) -> None:
    parser = actions.add_parser("recover", help="take in run folders again that a lost or damaged catalog knew")
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER",
        help="a run's folder, or one that holds such, which are copied; without it the runs in the home folder",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.training.recovery import recover

    with Progress() as progress:
        found = recover(args.folders, progress.control())
    if found.aside is not None:
        say(f"The damaged catalog is {found.aside} now. What it knew of predictions and evaluations is only there.")
    for folder, why in found.left:
        say(f"left out: {folder.name}: {why}")
    if args.json:
        left = [{"folder": str(folder), "why": why} for folder, why in found.left]
        aside = None if found.aside is None else str(found.aside)
        answer_json({"taken": found.taken, "left": left, "damaged_catalog": aside})
    elif found.taken:
        for id in found.taken:
            answer(id)
        say(
            f"{len(found.taken)} taken in again. Their curves and logs were in the catalog alone and are gone;"
            " the figures are those that the checkpoints hold."
        )
    elif not found.left:
        answer("Every run folder is in the catalog.")
    return 2 if found.left else 0
