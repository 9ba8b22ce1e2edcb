"""`isocenter runs folds`: how well a cross-validation does, and whether it is better than another."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands import by_kind
from core.commands.console import Progress, answer, answer_json, say, table, when
from core.errors import ConfigError

if TYPE_CHECKING:
    from core.catalog import Catalog
    from core.inference.out_of_fold import OutOfFold


def add(actions: Any) -> None:
    parser = actions.add_parser("folds", help="a cross-validation's figures; without a name, all cross-validations")
    parser.add_argument("group", nargs="?", metavar="GROUP", help="id or name")
    parser.add_argument(
        "--against", metavar="GROUP",
        help="another group on the same folds, or a baseline's name; of a table several, such as xgboost,random_forest,"
        " or all",
    )  # fmt: skip
    parser.add_argument("--metric", default="dice", help="the metric of the table; --json gives them all")
    parser.add_argument("--tolerance", type=float, default=1.0, metavar="MM", help="for surface Dice and boundary F1")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--report", type=Path, metavar="OUT.html", help="of outcomes: write a report")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.catalog import Catalog
    from core.inference import out_of_fold
    from core.inference.baselines import baselines
    from core.inference.kinds import kind_of_group
    from core.metrics.segmentation import metrics

    if args.group is not None and (measured_by := kind_of_group(args.group)) is not None:
        return by_kind.folds(args, *measured_by)
    if args.report is not None:
        raise ConfigError("a report is written of cross-validations of outcomes", mend="Leave --report out.")
    if args.metric not in metrics():
        raise ConfigError(f"there is no metric {args.metric!r}", mend=f"Choose one of: {', '.join(metrics())}.")
    with Catalog() as catalog:
        catalog.mark_interrupted()
        if args.group is None:
            _list(args, catalog)
            return 0
    with Progress() as progress:
        control = progress.control()
        found = out_of_fold.measure(args.group, control, device=args.device, tolerance_mm=args.tolerance)
        other = None
        if args.against in baselines():
            other = out_of_fold.measure_baseline(args.against, found, control, tolerance_mm=args.tolerance)
        elif args.against:
            other = out_of_fold.measure(args.against, control, device=args.device, tolerance_mm=args.tolerance)
        compared = None if other is None else out_of_fold.compare(found, other, args.metric)
    if args.json:
        more = {} if other is None else {"against": {**other.as_dict(), "comparison": compared}}
        answer_json({**found.as_dict(), **more})
        return 0
    _show(found, args.metric)
    if other is not None and compared is not None:
        answer("")
        _show(other, args.metric)
        answer("")
        _show_comparison(found, compared)
    for fold, state in found.missing.items():
        say(f"warning: fold {fold} is {state}; the figures are of the other folds.")
    return 0


def _list(args: Namespace, catalog: Catalog) -> None:
    from core.catalog.groups import groups, runs_of, state_of

    rows = []
    for one in groups(catalog):
        runs = runs_of(catalog, one.id)
        finished = sum(run.state == "finished" for run in runs.values())
        rows.append((one.id, one.name, state_of(one.size, runs), f"{finished}/{one.size}", when(one.created)))
    if args.json:
        keys = ("group", "name", "state", "finished", "created")
        answer_json({"groups": [dict(zip(keys, row, strict=True)) for row in rows]})
    elif rows:
        answer(table(rows, ("group", "name", "state", "finished", "made")))
    else:
        answer("No cross-validations yet. `isocenter train PRESET data.path=FOLDER --folds 5` begins one.")


def _show(found: OutOfFold, metric: str) -> None:
    from core.metrics.segmentation import metrics

    figures, one = found.table(metric), metrics()[metric]
    columns = [*found.structures, "all"]
    unit = f" ({one.unit})" if one.unit else ""
    answer(f"{found.name}: {one.title}{unit}, each of {len(found.rows)} cases by the run that did not see it")
    rows = [
        (f"fold {fold}", str(len(found.folds[fold])), *(f"{means[name]:.4f}" for name in columns))
        for fold, means in figures["folds"].items()
    ]
    for key, title in (("over_folds", "mean of folds ± sd"), ("over_cases", "mean of cases ± sd")):
        mean, sd = figures[key]["mean"], figures[key]["sd"]
        rows.append((title, str(len(found.rows)), *(_with_spread(mean[name], sd[name]) for name in columns)))
    missed = figures["missed"]
    rows.append(("missed", "", *(str(missed[name]) for name in found.structures), str(sum(missed.values()))))
    answer(table(rows, ("", "cases", *columns)))


def _with_spread(mean: float, sd: float | None) -> str:
    return f"{mean:.4f}" if sd is None else f"{mean:.4f} ± {sd:.4f}"


def _show_comparison(found: OutOfFold, compared: dict[str, Any]) -> None:
    from core.inference.out_of_fold import p_text

    answer(f"{found.name} minus {compared['against']}, paired over {compared['cases']} cases")
    rows = []
    for name in [*found.structures, "all"]:
        one = compared["differences"][name]
        low, high = one["interval"] or (float("nan"), float("nan"))
        rows.append((name, f"{one['mean']:+.4f}", f"{low:+.4f} to {high:+.4f}", p_text(one["p"]),
                     f"{one['higher']} higher, {one['lower']} lower"))  # fmt: skip
    answer(table(rows, ("", "difference", "95 % interval", "Wilcoxon p", "cases")))
