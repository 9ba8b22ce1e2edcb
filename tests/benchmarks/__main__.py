"""Measure what the program promises, and print it with its bounds. Exit code 1 if a bound is missed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measures import MEASURES
from tests.benchmarks.report import Figure, machine, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures, details and machine there as well")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES), metavar="NAME")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter repeats: to try the benchmarks themselves"
    )
    options = parser.parse_args()
    facts = machine()
    figures: list[Figure] = []
    errors: dict[str, str] = {}
    for name in options.only:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="isocenter-benchmark-") as folder:
            try:
                figures += MEASURES[name](Path(folder), quick=options.quick)
            except RuntimeError as error:
                errors[name] = str(error)
    print(table(figures, facts))
    for name, error in errors.items():
        print(f"\n{name} could not be measured: {error}")
    if options.json:
        found = {"machine": facts, "figures": [figure.as_dict() for figure in figures], "errors": errors}
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if errors or not all(figure.passed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
