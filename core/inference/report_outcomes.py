"""The report of an evaluation of outcomes: figures with intervals, curves, other methods, importance, cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from core.inference.report_charts import Line, chart
from core.inference.report_page import bars, table
from core.metrics.names import metric_name

FIRST = ("auroc", "auprc", "loss", "brier", "pearson", "r2", "mae")  # what is looked at first
COMPARED = ("auroc", "auprc", "loss", "brier", "accuracy", "r2", "mae", "pearson")
MOST_CASES, MOST_COLUMNS = 50, 25
DIAGONAL = Line([0, 1], [0, 1], kind="dashed")


def parts_of(result: Mapping[str, Any]) -> list[str]:
    """The HTML of an answer of `ModelKind.evaluate` or `ModelKind.folds`, part by part; what it lacks is left out."""
    parts = ["<h2>Figures</h2>", _figures(result)]
    parts += [f"<p class=dim>{escape(remark)}</p>" for remark in result.get("remarks") or []]
    if others := result.get("against"):
        parts += ["<h2>Beside other methods, on the same cases</h2>", _compared(result, others)]
    elif simple := result.get("baselines"):
        parts += ["<h2>Simple methods, fitted on the same training cases</h2>", _simple(result, simple)]
    curves = result.get("curves") or {}
    for name, one in ({"": curves} if "calibration" in curves else curves).items():
        parts += [f"<h2>{escape(f'Curves of {name}' if name else 'Curves of the event')}</h2>", _curves(result, one)]
    if confusion := result.get("confusion"):
        parts += ["<h2>Decisions</h2>", _confusion(confusion)]
    if not result.get("classes") and (scatter := _scatter(result["cases"])):
        parts += ["<h2>Predicted and true</h2>", scatter]
    if important := result.get("importance"):
        parts += ["<h2>Importance of the columns</h2>", _importance(important)]
    parts += ["<h2>The cases that were most wrong</h2>", _cases(result["cases"])]
    return parts


def warnings_of(result: Mapping[str, Any]) -> list[str]:
    """What has to be known before the figures are believed."""
    told = []
    if seen := result.get("trained_on"):
        told.append(f"{seen:,} of these cases were trained on, so the figures flatter the model.")
    told += [f"Fold {fold} is {state}; the figures are of the others." for fold, state in
             (result.get("missing") or {}).items()]  # fmt: skip
    return told + [str(one["message"]) for one in result.get("findings") or [] if one.get("severity") != "info"]


def _named(result: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Figures or intervals of an answer by their bare names."""
    return {name.partition("/")[2] or name: value for name, value in (result.get(key) or {}).items()}


def _figures(result: Mapping[str, Any]) -> str:
    figures, intervals = _named(result, "metrics"), _named(result, "intervals")
    order = dict.fromkeys([*(name for name in FIRST if name in figures), *figures])
    rows = [
        (escape(metric_name(name)), f"{figures[name]:.4g}", _between(intervals.get(name)))
        for name in order
        if isinstance(figures[name], int | float)
    ]
    how = "by bootstrap over cases, or over subjects where they are named"
    return table(["", "", "95 % interval"], rows) + f"<p class=dim>Intervals {how}.</p>"


def _between(interval: Sequence[float] | None) -> str:
    return "" if not interval else f"{interval[0]:.4g} to {interval[1]:.4g}"


def _compared(result: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    methods = [result, *others]
    shared = [name for name in COMPARED if all(name in _named(one, "metrics") for one in methods)]
    names = ["this model", *(str(one.get("title", one["name"])) for one in others)]
    rows = []
    for name in shared:
        cells = []
        for one in methods:
            between = _between(_named(one, "intervals").get(name))
            said = f" <span class=dim>({between})</span>" if between else ""
            cells.append(f"{_named(one, 'metrics')[name]:.4f}{said}")
        rows.append((escape(metric_name(name)), *cells))
    paired = [
        (escape(str(other.get("title", other["name"]))), escape(metric_name(name)), f"{one['difference']:+.4f}",
         f"{one['interval'][0]:+.4f} to {one['interval'][1]:+.4f}", f"{one['p']:.3f}")
        for other in others
        for name, one in (other.get("comparison") or {}).items()
    ]  # fmt: skip
    return (
        table(["", *names], rows)
        + "<p class=dim>This model's figure less the other method's, on the same cases: paired bootstrap and paired"
        " permutation test.</p>" + table(["less", "", "difference", "95 % interval", "p"], paired)
    )  # fmt: skip


def _simple(result: Mapping[str, Any], simple: Sequence[Mapping[str, Any]]) -> str:
    own = _named(result, "metrics")
    names = [name for name in simple[0]["metrics"] if name in own]
    rows = [("this model", *(f"{own[name]:.4f}" for name in names))]
    rows += [(escape(str(one["title"])), *(f"{one['metrics'][name]:.4f}" for name in names)) for one in simple]
    return table(["", *map(metric_name, names)], rows)


def _curves(result: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    drawn = []
    if roc := one.get("roc"):
        drawn.append(chart(f"ROC, area {roc['area']:.3f}", "false positive rate", "true positive rate",
                           [Line(roc["false_positive"], roc["true_positive"]), DIAGONAL]))  # fmt: skip
    if ranked := one.get("precision_recall"):
        base = Line([0, 1], [ranked["base"]] * 2, f"share of events {ranked['base']:.3f}", "dashed")
        drawn.append(chart(f"Precision and recall, average precision {ranked['area']:.3f}", "recall", "precision",
                           [Line(ranked["recall"], ranked["precision"]), base]))  # fmt: skip
    told = one["calibration"]
    spread = list(zip(told["low"], told["high"], strict=True))
    slope = "" if told.get("slope") is None else f", slope {told['slope']:.2f}, intercept {told['intercept']:+.2f}"
    drawn.append(chart(f"Calibration{slope}", "predicted probability", "share that happened",
                       [Line(told["predicted"], told["observed"], "with 95 % interval", "points", spread),
                        DIAGONAL]))  # fmt: skip
    drawn.append(_decision(one["decision"]))
    return "".join(drawn)


def _decision(told: Mapping[str, Any]) -> str:
    top = max(max(told["model"]), max(told["act_on_all"]), 0.01) * 1.1
    low = -0.2 * top
    # Acting on all falls without end; it is followed as far as the chart goes.
    all_on = [(at, value) for at, value in zip(told["thresholds"], told["act_on_all"], strict=True) if value >= low]
    lines = [
        Line(told["thresholds"], told["model"], "the model"),
        Line([at for at, _ in all_on], [value for _, value in all_on], "act on all", "dashed"),
        Line(told["thresholds"], told["act_on_none"], "act on none", "dashed"),
    ]
    return chart("Decision curve", "threshold probability", "net benefit", lines, y=(low, top))


def _confusion(told: Mapping[str, Any]) -> str:
    rows = [
        (f"truly {escape(str(name))}", *(f"{count:,}" for count in counts))
        for name, counts in zip(told["classes"], told["matrix"], strict=True)
    ]
    at = told.get("threshold")
    how = "" if at is None else f"<p class=dim>Decided at a probability of {at:.3f}.</p>"
    return table(["", *(f"decided {name}" for name in told["classes"])], rows) + how


def _scatter(cases: Sequence[Mapping[str, Any]]) -> str:
    known = [case for case in cases if "score" in case and isinstance(_truth(case), int | float)]
    if not known:
        return ""
    shown = known[:: max(len(known) // 1000, 1)]
    true, found = [float(_truth(case)) for case in shown], [float(case["score"]) for case in shown]
    span = (min(*true, *found), max(*true, *found))
    lines = [Line(true, found, kind="points"), Line(span, span, kind="dashed")]
    return chart("Predicted over true", "true", "predicted", lines, x=span, y=span)


def _importance(told: Any) -> str:
    listed = told if not isinstance(told, Mapping) else [{"name": n, "importance": v} for n, v in told.items()]
    rows = [
        (str(one.get("column", one.get("name", ""))), float(one["importance"]),
         f"{one['importance']:+.4f}" + (f" ± {one['sd']:.4f}" if "sd" in one else ""))
        for one in listed
        if isinstance(one.get("importance"), int | float)
    ]  # fmt: skip
    rows.sort(key=lambda row: -row[1])
    return bars(rows[:MOST_COLUMNS]) + "<p class=dim>How much larger the loss becomes where a column is shuffled.</p>"


def _truth(case: Mapping[str, Any]) -> Any:
    return next((case[name] for name in ("outcome", "target", "truth") if name in case), None)


def _wrong(case: Mapping[str, Any]) -> float:
    truth = _truth(case)
    if isinstance(truth, Mapping):  # several labels at once
        known = [abs(case["probabilities"][name] - value) for name, value in truth.items() if value is not None]
        return max(known, default=0.0)
    if "probabilities" in case:
        return 1 - float(case["probabilities"].get(str(truth), 0.0))
    return abs(float(case["score"]) - float(truth)) if isinstance(truth, int | float) else 0.0


def _cases(cases: Sequence[Mapping[str, Any]]) -> str:
    known = [case for case in cases if _truth(case) is not None and ("probabilities" in case or "score" in case)]
    worst = sorted(known, key=_wrong, reverse=True)[:MOST_CASES]
    rows = []
    for case in worst:
        if "probabilities" in case:
            said = ", ".join(f"{name} {value:.3f}" for name, value in case["probabilities"].items())
        else:
            said = f"{case['score']:.4g}"
        truth = _truth(case)
        shown = f"{truth:.4g}" if isinstance(truth, float) else str(truth)
        rows.append((escape(str(case["case"])), escape(shown), escape(said)))
    more = "" if len(known) <= MOST_CASES else f"<p class=dim>{MOST_CASES} of {len(known):,} cases.</p>"
    return table(["Case", "Truth", "Predicted"], rows) + more
