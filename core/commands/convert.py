"""`isocenter convert`: a scan written in another format, its values and its place kept."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json
from core.errors import IsocenterError


def add(commands: Any) -> None:
    parser = commands.add_parser("convert", help="write a scan as NIfTI, NRRD or MetaImage")
    parser.add_argument("scan", type=Path, metavar="SCAN")
    parser.add_argument("out", type=Path, metavar="OUT", help="file that ends with .nii.gz, .nii, .nrrd or .mha")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.imaging.reader import read
    from core.imaging.writer import write_volume

    if args.scan.exists() and args.out.exists() and args.scan.samefile(args.out):
        raise IsocenterError("the result would overwrite the scan", where=args.out, mend="Give another name.")
    with Progress() as progress:
        volume = read(args.scan, progress.control())
        sha256 = write_volume(args.out, volume, control=progress.control())
    if args.json:
        answer_json({"scan": str(args.scan), "output": str(args.out), "sha256": sha256,
                     "findings": [finding.as_dict() for finding in volume.findings]})  # fmt: skip
    else:
        answer(f"{args.scan} -> {args.out}")
    return 0
