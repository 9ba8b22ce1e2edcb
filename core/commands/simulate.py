"""`isocenter simulate`: a cohort that is made by the program, with a known truth."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json


def add(commands: Any) -> None:
    parser = commands.add_parser("simulate", help="make a simulated cohort with a known truth")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    one = kinds.add_parser("alzheimers", help="MRI, PET, clinical values and a risk score, as a BIDS folder")
    one.add_argument("out", type=Path, metavar="OUT", help="a new or empty folder")
    one.add_argument("--subjects", type=int, default=200, metavar="N", help="default: 200")
    one.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same files; default: 0")
    one.add_argument(
        "--size", choices=("development", "full"), default="development",
        help="pictures of 46 x 60 x 46 voxels of 4 mm, or of 91 x 120 x 91 of 2 mm",
    )  # fmt: skip
    one.add_argument(
        "--missing", type=float, default=0.2, metavar="SHARE", help="of subjects without PET; default: 0.2"
    )
    one.add_argument("--effect", type=float, default=1.0, metavar="X", help="strength of the disease; 0: none shows")
    one.add_argument("--shuffle-targets", action="store_true", help="deal the scores out anew: nothing can be learned")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.simulation.alzheimers import Recipe, simulate

    started = time.monotonic()
    recipe = Recipe(args.subjects, args.seed, args.size, args.missing, args.effect, args.shuffle_targets)
    with Progress() as progress:
        made = simulate(args.out, recipe, progress.control())
    if args.json:
        answer_json({**made, "seconds": round(time.monotonic() - started, 1)})
    else:
        answer(f"{args.out}: {made['subjects']} simulated subjects, {made['mri']} MRI and {made['pet']} PET")
    return 0
