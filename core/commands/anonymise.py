"""`isocenter anonymise`: a DICOM series without patient data."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, say


def add(commands: Any) -> None:
    parser = commands.add_parser("anonymise", help="write DICOM images without patient data")
    parser.add_argument("source", type=Path, metavar="SERIES", help="a DICOM folder, or a file with its series")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    parser.add_argument("--series", metavar="UID", default="", help="of a folder, only this series")
    parser.add_argument(
        "--burned-in-checked", action="store_true", help="someone has looked: no picture shows the patient's name"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.export.anonymise import anonymise

    with Progress() as progress:
        made = anonymise(
            args.source, args.out, series=args.series, burned_in_checked=args.burned_in_checked,
            control=progress.control(),
        )  # fmt: skip
    failed = [{"file": str(file), "what": what} for file, what in made.failed]
    for one in failed:
        say(f"left out: {one['file']}: {one['what']}")
    if args.json:
        more = {"failed": failed} if failed else {}
        answer_json(
            {"output": str(made.folder), "images": made.images, "series": made.series, "method": made.method, **more}
        )
    else:
        answer(f"{args.source} -> {made.folder} ({made.images} images, {made.series} series)")
        say("The pixels were not changed: a head scan still shows the face.")
    return 2 if failed else 0
