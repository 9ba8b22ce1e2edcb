"""`isocenter info`: a scan's geometry, type and what was found in it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json


def add(commands: Any) -> None:
    parser = commands.add_parser("info", help="geometry, header and checks of a scan")
    parser.add_argument("scan", type=Path, metavar="SCAN")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.imaging.info import describe
    from core.imaging.reader import read

    with Progress() as progress:
        facts = describe(read(args.scan, progress.control()))
    if args.json:
        answer_json(facts)
        return 0
    for key, value in facts.items():
        if key not in ("affine_ras", "findings") and value not in ("", None):
            shown = " x ".join(f"{v:g}" for v in value) if key in ("shape", "spacing_mm") else value
            answer(f"{key + ':':18}{shown}")
    for row in facts["affine_ras"]:
        answer("  " + "  ".join(f"{value:10.4f}" for value in row))
    for finding in facts["findings"]:
        answer(f"{finding['severity']}: {finding['message']}")
    return 0
