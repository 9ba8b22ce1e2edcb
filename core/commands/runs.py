"""`isocenter runs`: the training runs in the catalog, listed, shown, compared and exported."""

from __future__ import annotations

import csv
import io
import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands import folds, recover
from core.commands.console import answer, answer_json, plain_values, say, table, when
from core.errors import IsocenterError

if TYPE_CHECKING:
    from core.catalog import Catalog, RunRow


def add(commands: Any) -> None:
    parser = commands.add_parser("runs", help="list, show, compare and export training runs")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all runs, newest first")
    showing = actions.add_parser("show", help="one run: state, metrics, checkpoints, events")
    showing.add_argument("runs", nargs=1, metavar="RUN", help="id or name")
    comparing = actions.add_parser("compare", help="metrics and settings of several runs side by side")
    comparing.add_argument("runs", nargs="+", metavar="RUN")
    exporting = actions.add_parser("export", help="a run's metrics as .csv, or all of it as .json")
    exporting.add_argument("runs", nargs=1, metavar="RUN")
    exporting.add_argument("out", type=Path, metavar="OUT.csv|OUT.json")
    for action, function in ((listing, _list), (showing, _show), (comparing, _compare), (exporting, _export)):
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(run=run, act=function)
    folds.add(actions)
    recover.add(actions)


def run(args: Namespace) -> int:
    from core.catalog import Catalog

    with Catalog() as catalog:
        catalog.mark_interrupted()
        return args.act(args, catalog) or 0


def _list(args: Namespace, catalog: Catalog) -> None:
    runs = catalog.runs()
    if args.json:
        answer_json({"runs": [_brief(run) for run in runs]})
        return
    if not runs:
        answer("No runs yet. `isocenter train hippocampus-quick data.path=FOLDER` starts one.")
        return
    rows = []
    for r in runs:
        dice = _figure(r.summary.get("val/dice"))
        rows.append((r.id, r.name, r.state, f"{r.epoch}/{r.epochs}", dice, when(r.created)))
    answer(table(rows, ("run", "name", "state", "epochs", "val/dice", "made")))


def _show(args: Namespace, catalog: Catalog) -> None:
    whole = _whole(catalog.run(args.runs[0]), catalog)
    if args.json:
        answer_json(whole)
        return
    for key in ("run", "name", "task", "state", "epoch", "epochs", "data", "folder", "error"):
        if whole[key] not in (None, ""):
            answer(f"{key + ':':10}{whole[key]}")
    for key, value in whole["metrics"].items():
        answer(f"{key}: {_figure(value)}")
    for checkpoint in whole["checkpoints"]:
        answer(f"{checkpoint['kind']} checkpoint: epoch {checkpoint['epoch'] + 1}, {checkpoint['path']}")
    for event in whole["events"]:
        answer(f"{when(event['time'])}  {event['level']}: {event['message']}")


def _compare(args: Namespace, catalog: Catalog) -> int:
    from core.kept import kept_settings

    runs = [catalog.run(name) for name in args.runs]
    settings: list[dict[str, Any] | None] = []
    failed = []
    for run in runs:
        try:
            settings.append(_flat(kept_settings(run)))
        except IsocenterError as error:  # its figures are compared all the same
            say(f"isocenter: {error}")
            settings.append(None)
            failed.append({"run": run.id, "what": error.what, "where": error.where, "mend": error.mend})
    known = [one for one in settings if one is not None]
    keys = [key for key in sorted(set().union(*known)) if len({repr(one.get(key)) for one in known}) > 1]
    differences = {key: [None if one is None else one.get(key) for one in settings] for key in keys}
    if args.json:
        more = {"failed": failed} if failed else {}
        answer_json({"runs": [_brief(run) for run in runs], "differences": differences, **more})
        return 2 if failed else 0
    metrics = sorted(set().union(*(run.summary for run in runs)))
    rows: list[list[Any]] = [["state", *(run.state for run in runs)]]
    rows += [[key, *(_figure(run.summary.get(key)) for run in runs)] for key in metrics]
    rows += [
        [key, *("(damaged)" if one is None else value for one, value in zip(settings, values, strict=True))]
        for key, values in differences.items()
    ]
    answer(table(rows, ("", *(run.id for run in runs))))
    return 2 if failed else 0


def _export(args: Namespace, catalog: Catalog) -> None:
    from core.files import write_text

    run = catalog.run(args.runs[0])
    kind = args.out.suffix.lower()
    if kind == ".json":
        points = [[p.key, p.step, p.epoch, p.value, p.time] for p in catalog.metrics(run.id)]
        whole = {**_whole(run, catalog), "config": run.config, "points": points}
        text = json.dumps(plain_values(whole), indent=1, ensure_ascii=False, allow_nan=False)
    elif kind == ".csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["key", "step", "epoch", "value", "time"])
        writer.writerows([p.key, p.step, p.epoch, p.value, f"{p.time:.3f}"] for p in catalog.metrics(run.id))
        text = buffer.getvalue()
    else:
        raise IsocenterError("only .csv and .json are written", where=args.out, mend="Give the file such an ending.")
    write_text(args.out, text)
    if args.json:
        answer_json({"run": run.id, "output": str(args.out)})
    else:
        answer(f"{run.id} -> {args.out}")


def _brief(run: RunRow) -> dict[str, Any]:
    return {
        "run": run.id, "name": run.name, "task": run.task, "state": run.state, "epoch": run.epoch, "epochs": run.epochs,
        "data": run.data_path, "created": run.created, "metrics": run.summary,
    }  # fmt: skip


def _whole(run: RunRow, catalog: Catalog) -> dict[str, Any]:
    checkpoints = [
        {"kind": c.kind, "path": str(c.path), "sha256": c.sha256, "epoch": c.epoch, "step": c.step, "metric": c.metric,
         "value": c.value}
        for c in catalog.checkpoints(run.id)
    ]  # fmt: skip
    events = [{"time": e.time, "level": e.level, "message": e.message} for e in catalog.events(run.id)]
    return {
        **_brief(run), "folder": str(run.folder), "error": run.error, "started": run.started, "ended": run.ended,
        "checkpoints": checkpoints, "events": events,
    }  # fmt: skip


def _flat(tree: Any, above: str = "") -> dict[str, Any]:
    """A nested table as dotted keys.

    >>> _flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(tree, dict):
        return {above: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{above}.{key}" if above else str(key))
    return flat


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
