"""What predict, evaluate and runs folds do where a model is none for scans: its kind does the work, this prints it."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import IsocenterError
from core.files import refuse_unwritable

if TYPE_CHECKING:
    from core.catalog.groups import GroupRow
    from core.inference.model_kind import ModelKind

SUBJECT_PARTS = ("mri", "pet", "clinical")
NO_REPORT = "predictions of this model have no report"
WITHOUT_REPORT = "Leave --report out: it is for models of risk."


def predict(args: Namespace, kind: ModelKind, package: Any) -> int:
    from core.inference.answers import record

    if args.report is not None and not kind.reports:
        raise IsocenterError(NO_REPORT, where=args.model, mend=WITHOUT_REPORT)
    for name in ("series", "time"):
        if getattr(args, name) is not None:
            what = f"--{name} chooses among the volumes of a scan, and this model takes none"
            raise IsocenterError(what, where=args.model, mend="Leave it out.")
    refuse_unwritable(args.out)  # found out before the work, not after it
    with Progress() as progress:
        found = kind.predict(package, args.scans, args.out, vars(args), progress.control())
    parts = {name: str(path.absolute()) for name in SUBJECT_PARTS if (path := getattr(args, name)) is not None}
    record(package, found, given=parts)
    _tell(found["findings"])
    if args.json:
        answer_json({"predictions": found["predictions"], "outputs": found["outputs"]})
        return 0
    counts = Counter(str(one["output"]) for one in found["predictions"])
    for output in map(str, found["outputs"]):
        further = "the report" if output.endswith(".pdf") else "all that was answered"
        made = f"{counts[output]:,} predicted by {package.name} {package.version}" if counts[output] else further
        answer(f"{made}: {output}")
    if len(found["predictions"]) == 1:
        answer(_figures(found["predictions"][0]))
    return 0


def evaluate(args: Namespace, kind: ModelKind, model: Any) -> int:
    from core.inference.report import write_outcomes
    from core.inference.report_page import target_of

    if args.report is not None:
        target_of(args.report, "report.html")  # a name that will not do is told before the work
    with Progress() as progress:
        control, methods = progress.control(), [name for name in (args.against or "").split(",") if name]
        beside = kind.beside(model, args.data, against=methods, split=args.split, control=control) if methods else []
        result = kind.evaluate(model, args.data, split=args.split, control=control)
        if beside:
            result["against"] = beside
        if args.report is not None:
            what = f"the {args.split} part of {args.data.name}" if args.split else args.data.name
            result["report"] = str(write_outcomes(result, result["model"], what, args.report))
    _tell(result["findings"])
    if result["trained_on"]:
        say(f"warning: {result['trained_on']:,} of these cases were trained on, so the figures flatter the model.")
    if args.json:
        answer_json(result)
        return 0
    intervals = result.get("intervals", {})
    rows = []
    for name, value in result["metrics"].items():
        low, high = intervals.get(name) or (None, None)
        rows.append((name.removeprefix("test/"), f"{value:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"))
    answer(table(rows, (f"{result['model']} on {len(result['cases']):,} cases", "", "95 % interval")))
    if early := result.get("by_hour"):
        answer("\nAs it was early")
        answer(_by_hour(early))
    if simple := result.get("baselines"):
        names = [name for name in simple[0]["metrics"] if f"test/{name}" in result["metrics"]]
        lines = [(one["title"], *(f"{one['metrics'][name]:.4f}" for name in names)) for one in simple]
        answer("\nSimple methods, fitted on the same training cases")
        answer(table(lines, ("", *names)))
    if others := result.get("against"):
        answer("\nOther methods, on the same cases")
        _tell_compared(result, others)
    if args.report is not None:
        answer(f"\nReport: {result['report']}")
    return 0


def _by_hour(found: list[dict[str, Any]]) -> str:
    """A line for each time, with what is known of the answers then."""
    names = [name for name in ("auroc", "auprc", "brier", "ece", "f1", "mae", "r2") if name in found[-1]["metrics"]]
    rows = []
    for of in found:
        slope, doubt = (of.get("calibration") or {}).get("slope"), of.get("doubt")
        rows.append(
            (
                f"after {of['hours']:g} h", *(f"{of['metrics'].get(name, float('nan')):.4f}" for name in names),
                "" if slope is None else f"{slope:.2f}", "" if doubt is None else f"{doubt['width']:.3f}",
                "" if doubt is None else f"{doubt['held']:.0%}",
            )
        )  # fmt: skip
    return table(rows, ("", *names, "calibration slope", "interval width", "intervals that hold"))


def folds(args: Namespace, kind: ModelKind, group: GroupRow) -> int:
    from core.inference.report import OUT_OF_FOLD, write_outcomes

    against = [name for name in (args.against or "").split(",") if name]
    with Progress() as progress:
        found = kind.folds(group, against=against, control=progress.control())
        if args.report is not None:
            what = f"{Path(group.data_path).name}, {OUT_OF_FOLD}"
            found["report"] = str(write_outcomes(found, group.name, what, args.report))
    for fold, state in found["missing"].items():
        say(f"warning: fold {fold} is {state}; the figures are of the other folds.")
    if args.json:
        answer_json(found)
        return 0
    answer(f"{len(found['cases']):,} cases, each by the run of the fold that kept it out")
    _tell_compared(found, found["against"])
    for remark in found.get("remarks", []):
        answer(remark)
    if args.report is not None:
        answer(f"\nReport: {found['report']}")
    return 0


def _tell_compared(own: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """A column for each method, then this one's figures less those of each of the others."""
    methods = [own, *others]
    columns = [name for name in own["metrics"] if all(name in one["metrics"] for one in methods)]
    rows = []
    for column in columns:
        cells = []
        for one in methods:
            low, high = one["intervals"].get(column) or (None, None)
            figure = f"{one['metrics'][column]:.4f}"
            cells.append(figure if low is None else f"{figure} ({low:.4f} to {high:.4f})")
        rows.append((column.partition("/")[2], *cells))
    name = str(own.get("name", own.get("model", "")))
    answer(table(rows, ("", name, *(str(one.get("title", one["name"])) for one in others))))
    for other in others:
        answer(f"\n{name} minus {other.get('title', other['name'])}, paired over the cases")
        rows = []
        for figure, one in other["comparison"].items():
            low, high = one["interval"]
            rows.append((figure, f"{one['difference']:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{one['p']:.4f}"))
        answer(table(rows, ("", "difference", "95 % interval", "p")))


def _tell(findings: list[dict[str, str]]) -> None:
    for finding in findings:
        say(f"{finding['severity']}: {finding['message']}")


def _figures(prediction: dict[str, Any]) -> str:
    """One prediction in a line: its score with its interval, or its probabilities."""
    if "score" in prediction:
        low, high = prediction.get("interval") or (None, None)
        return f"score {prediction['score']:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")
    shares = prediction.get("probabilities", {})
    return ", ".join(f"{name} {value:.3f}" for name, value in shares.items())
