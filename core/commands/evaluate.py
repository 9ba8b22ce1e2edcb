"""`isocenter evaluate`: how well a run or a model does on labelled cases."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands import by_kind
from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import ConfigError

WORST = 5  # cases that are named


def add(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a run or a model on labelled cases")
    parser.add_argument("model", metavar="RUN_OR_MODEL")
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="a data set's folder, a table, a cohort, or stays with outcomes"
    )
    parser.add_argument(
        "--split", choices=("train", "val", "test", "all"),
        help="only this part of the recorded split; without it all cases, but of scans in the folder that was trained"
        " on those that were kept out for a test",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=float, default=1.0, metavar="MM", help="how far apart surfaces may lie and still agree"
    )
    parser.add_argument("--report", type=Path, metavar="OUT.html", help="write a report; into a folder, if it is one")
    parser.add_argument(
        "--against", metavar="METHODS",
        help="of a table: simple methods fitted to the same training rows, such as xgboost,random_forest, or all",
    )  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="predict anew what was predicted before")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.inference.evaluate import KEPT_OUT, evaluate, trained_on_text
    from core.inference.kinds import meant

    if (other := meant(args.model)) is not None:
        args.split = None if args.split == "all" else args.split
        return by_kind.evaluate(args, *other)
    if args.against:
        raise ConfigError("simple methods are fitted to tables only", mend="Leave --against out.")
    with Progress() as progress:
        result = evaluate(
            args.model, args.data, progress.control(), split=args.split, device=args.device,
            tolerance_mm=args.tolerance, fresh=args.fresh,
        )  # fmt: skip
        if args.report is not None:
            from core.inference.report import write_report

            result["report"] = str(write_report(result["id"], args.report, progress.control()))
    if args.split is None and result["split"] == "test":
        say(KEPT_OUT)
    if args.json:
        answer_json(result)
        return 0
    names = list(result["cases"][0]["dice"])
    if result["trained_on"]:
        say(f"warning: {trained_on_text(result)}")
    answer(f"{result['model']} on {len(result['cases'])} cases; surfaces agree within {result['tolerance_mm']:g} mm")
    answer(table(*_figures(result, names)))
    answer("")
    answer(table(*_worst(result, names)))
    if args.report is not None:
        answer(f"\nReport: {result['report']}")
    return 0


def _figures(result: dict[str, Any], names: list[str]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """One line for each metric, one column for each structure: the mean with its 95 % interval."""
    from core.metrics.segmentation import metrics

    figures, intervals = result["metrics"], result["intervals"]

    def cell(key: str) -> str:
        low, high = intervals.get(key, (None, None))
        return f"{figures[key]:.4f}" + ("" if low is None else f" ({low:.4f} to {high:.4f})")

    titles = {
        key: f"{metric.title} ({metric.unit})" if metric.unit else metric.title for key, metric in metrics().items()
    }
    titles["volume_error_ml"] = "Volume error (mL)"
    rows = [
        (title, *(cell(f"test/{key}/{name}") for name in names), cell(f"test/{key}")) for key, title in titles.items()
    ]
    for key, title in (("n_missed", "Missed"), ("n_false_alarms", "False alarms")):
        rows.append(
            (title, *(f"{figures[f'test/{key}/{name}']:.0f}" for name in names), f"{figures[f'test/{key}']:.0f}")
        )
    return rows, ("mean (95 % interval)", *names, "all")


def _worst(result: dict[str, Any], names: list[str]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """The cases of lowest mean Dice."""
    from core.inference.evaluate import worst_first

    cases = worst_first(result["cases"])[:WORST]
    rows = [
        (
            case["case"], *(f"{case['dice'][name]:.4f}" for name in names),
            case.get("error") or "; ".join(f"{name} missed" for name in case["missed"]),
        )
        for case in cases
    ]  # fmt: skip
    return rows, ("worst cases by Dice", *names, "")
