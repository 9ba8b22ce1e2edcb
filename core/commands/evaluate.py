"""`isocenter evaluate`: how well a run or a model does on labelled cases."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, table


def add(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a run or a model on labelled cases")
    parser.add_argument("model", metavar="RUN_OR_MODEL")
    parser.add_argument("data", type=Path, metavar="DATA", help="a data set's folder")
    parser.add_argument("--split", choices=("val", "test"), help="only this part of the run's recorded split")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.inference.evaluate import evaluate

    with Progress() as progress:
        result = evaluate(args.model, args.data, progress.control(), split=args.split, device=args.device)
    if args.json:
        answer_json(result)
        return 0
    metrics = result["metrics"]
    names = list(result["cases"][0]["dice"])
    rows = [
        (
            name, f"{metrics[f'test/dice/{name}']:.4f}", f"{metrics[f'test/dice_sd/{name}']:.4f}",
            f"{metrics[f'test/jaccard/{name}']:.4f}", f"{metrics[f'test/volume_error_ml/{name}']:.3f}",
        )
        for name in names
    ]  # fmt: skip
    rows.append(("mean", f"{metrics['test/dice']:.4f}", "", f"{metrics['test/jaccard']:.4f}", ""))
    answer(f"{result['model']} on {len(result['cases'])} cases")
    answer(table(rows, ("structure", "Dice", "SD", "Jaccard", "volume error (mL)")))
    return 0
