"""`isocenter fractions`: how much of the labels is needed, with a pretrained encoder and without."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import ConfigError


def add(commands: Any) -> None:
    words = "train on shares of the labels: a pretrained encoder, the same from scratch, gradient boosting"
    parser = commands.add_parser("fractions", help=words, description=words)
    parser.add_argument("config", metavar="CONFIG", help="a fine-tuning: a preset's name or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as encoder.checkpoint=RUN")
    parser.add_argument("--shares", default="1,5,10,25,100", metavar="1,10,100", help="of the labels, in per cent")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="repeat with N seeds and take the means")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all points there too")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the curves")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    import json

    from core import config
    from core.files import write_text
    from core.tasks.finetuning.fractions import fractions
    from core.tasks.finetuning.fractions_plot import drawn

    shares = _shares(args.shares)
    if not 1 <= args.seeds <= 100:
        raise ConfigError("--seeds takes a number from 1 to 100")
    with Progress() as progress:
        found = fractions(
            config.load(args.config, args.overrides), shares, args.seeds, control=progress.control(), tell=say
        )
    if args.out is not None:
        write_text(args.out, json.dumps(found, indent=1))
    if args.plot is not None:
        write_text(args.plot, drawn(found))
    if args.json:
        answer_json(found)
        return 0
    rows = [
        (
            f"{mean['share']:.0%}",
            mean["labels"],
            mean["method"],
            *(f"{mean.get(f'test/{n}', float('nan')):.4f}" for n in ("auroc", "auprc")),
        )
        for mean in found["means"]
    ]
    answer(table(rows, ("labels", "", "method", "AUROC", "AUPRC")))
    return 0


def _shares(text: str) -> list[float]:
    """
    >>> _shares("1,10,100")
    [0.01, 0.1, 1.0]
    """
    try:
        shares = [float(part) / 100 for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ConfigError(f"--shares {text}: these are no shares", mend="Write per cents, such as 1,10,100.")
    return shares
