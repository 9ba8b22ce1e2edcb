"""What `predict`, `evaluate` and `models publish` do where the model is one for tables."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import IsocenterError

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.tasks.tabular.package import TablePackage


def table_run(name: str) -> RunRow | None:
    """The run on a table of that id or name, or None."""
    from core.catalog import Catalog

    with Catalog() as catalog:
        runs = [run for run in catalog.runs() if run.task == "tabular" and name in (run.id, run.name)]
    return max(runs, key=lambda run: (run.id == name, run.id), default=None)


def predict(args: Namespace, package: TablePackage) -> int:
    from core.tasks.tabular.predicting import predict_rows

    if len({path.name.partition(".")[0] for path in args.scans}) < len(args.scans):
        raise IsocenterError("two tables would be written to the same file", mend="Predict them one by one.")
    predictions: list[dict[str, Any]] = []
    for path in args.scans:
        with Progress() as progress:
            found = predict_rows(package, path, args.out, progress.control())
        for finding in found["findings"]:
            say(f"{finding['severity']}: {finding['message']}")
        predictions += found["predictions"]
        if not args.json:
            answer(f"{path}: {len(found['predictions']):,} rows -> {found['output']}")
    if args.json:
        answer_json({"predictions": predictions})
    return 0


def evaluate(args: Namespace, model: TablePackage | RunRow) -> int:
    from core.tasks.tabular.package import TablePackage
    from core.tasks.tabular.predicting import evaluate as measure
    from core.tasks.tabular.publishing import package_of

    with Progress() as progress:
        control = progress.control()
        if isinstance(model, TablePackage):
            result = measure(model, args.data, split=args.split, control=control)
        else:
            with package_of(model, control) as package:
                result = {**measure(package, args.data, split=args.split, control=control), "model": model.id}
    for finding in result["findings"]:
        say(f"{finding['severity']}: {finding['message']}")
    if result["trained_on"]:
        say(f"warning: {result['trained_on']:,} of these rows were trained on, so the figures flatter the model.")
    if args.json:
        answer_json(result)
        return 0
    rows = [(name.removeprefix("test/"), f"{value:.4f}") for name, value in result["metrics"].items()]
    answer(table(rows, (f"{result['model']} on {len(result['cases']):,} rows", "")))
    return 0
