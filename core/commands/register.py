"""`isocenter register`: a scan brought onto the template or onto another scan."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json
from core.errors import IsocenterError

TEMPLATE = "template"


def add(commands: Any) -> None:
    parser = commands.add_parser("register", help="bring a scan onto the template or another scan")
    parser.add_argument("moving", type=Path, metavar="MOVING", help="the scan that is moved")
    parser.add_argument("--to", default=TEMPLATE, metavar="FIXED", help="the scan it is moved to; default: template")
    parser.add_argument("--kind", choices=("rigid", "affine"), help="default: affine to the template, rigid to a scan")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT",
        help="the resampled scan (.nii.gz, .nii, .nrrd or .mha); the transform goes beside it as .tfm and .json",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.imaging.reader import read
    from core.imaging.registration.apply import facts, resampled, save
    from core.imaging.registration.register import Kind, register

    to_template = args.to == TEMPLATE
    for scan in (args.moving, *([] if to_template else [Path(args.to)])):
        if scan.exists() and args.out.exists() and scan.samefile(args.out):
            raise IsocenterError("the result would overwrite a scan", where=args.out, mend="Give another name.")
    with Progress() as progress:
        control = progress.control()
        moving = read(args.moving, control.part(0.0, 0.05))
        fixed = None if to_template else read(Path(args.to), control.part(0.05, 0.1))
        kind: Kind = args.kind or ("affine" if to_template else "rigid")
        found = register(moving, fixed, kind, control.part(0.1, 0.9))
        volume = resampled(moving, found, fixed, control.part(0.9, 0.95))
        transform, told = save(args.out, volume, found, moving.name, control.part(0.95, 1.0))
    if args.json:
        answer_json(
            {"output": str(args.out), "transform": str(transform), "facts": str(told)} | facts(found, moving.name)
        )
        return 0
    answer(f"{args.moving} -> {args.out}, {transform.name}, {told.name}")
    for finding in found.findings:
        answer(f"{finding.severity}: {finding.message}")
    return 0
