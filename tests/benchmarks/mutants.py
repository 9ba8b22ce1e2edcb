"""Read thousands of damaged scans of each format, with limits. Exit code 1 if one crashes, hangs, or ends untyped.

Run it with `python -m tests.benchmarks.mutants --count 2000`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.mutation import FORMATS, SECONDS, mutants, outcome
from tests.benchmarks.report import Figure, machine, table
from tests.benchmarks.window import CHECKOUT

MEMORY_MB = 1024
_PATIENCE = 3 * SECONDS  # a reader that is silent for longer hangs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="mutants of each format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=FORMATS, default=FORMATS, metavar="FORMAT")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the mutants that failed there")
    parser.add_argument("--reader", metavar="FORMAT", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        return _read_all(options.reader, options.seed, options.count, options.first)
    figures = []
    for format in options.only:
        print(f"reading {options.count} mutants of {format} ...", file=sys.stderr, flush=True)
        figures += _figures(format, options)
    print(table(figures, machine()))
    return 0 if all(figure.passed for figure in figures) else 1


def _read_all(format: str, seed: int, count: int, first: int) -> int:
    """In the child: read the mutants one after the other and tell of each in a line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        for number, name, data in mutants(format, seed, count, first):
            path = Path(folder) / name
            path.write_bytes(data)
            (Path(folder) / "voxels.raw").write_bytes(bytes(5000))
            found = {"number": number, **asdict(outcome(path)), "peak_mb": _peak_mb()}
            path.unlink()
            print(json.dumps(found), flush=True)
    return 0


def _peak_mb() -> float:
    """The most memory that this process and the decoders it started have had."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


def _figures(format: str, options: argparse.Namespace) -> list[Figure]:
    """Read all mutants of a format in a child; where one kills it, the next child goes on after that one."""
    found: list[dict[str, Any]] = []
    crashes: list[int] = []
    first = 0
    while first < options.count:
        found += _one_child(format, options, first)
        last = found[-1]["number"] if found else -1
        if last < first:
            last = first - 1
        if last + 1 >= options.count:
            break
        crashes.append(last + 1)
        first = last + 2
    failures = [one for one in found if one["kind"] == "failure"]
    slowest = max((one["seconds"] for one in found), default=0.0)
    peak = max((one["peak_mb"] for one in found), default=0.0)
    _keep(format, options, [*crashes, *(one["number"] for one in failures)])
    detail = {"ends": dict(Counter(one["kind"] for one in found)), "crashed": crashes, "failures": failures[:20]}
    for one in failures[:20]:
        print(f"  {format} {one['number']}: {one['detail']}", file=sys.stderr)
    return [
        Figure(f"{format}: crashed or hung, of {options.count}", len(crashes), "mutants", 0, detail=detail),
        Figure(f"{format}: ended without a typed error", len(failures), "mutants", 0),
        Figure(f"{format}: the slowest", slowest, "s", SECONDS),
        Figure(f"{format}: the most memory", peak, "MB", MEMORY_MB),
    ]


def _one_child(format: str, options: argparse.Namespace, first: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.benchmarks.mutants", "--reader", format, "--first", str(first)]
    command += ["--count", str(options.count), "--seed", str(options.seed)]
    found: list[dict[str, Any]] = []
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        if child.stdout is None:
            return found
        watch = threading.Timer(4 * _PATIENCE, child.kill)  # the first has the imports to do
        watch.start()
        for line in child.stdout:
            watch.cancel()
            found.append(json.loads(line))
            watch = threading.Timer(_PATIENCE, child.kill)
            watch.start()
        watch.cancel()
    return found


def _keep(format: str, options: argparse.Namespace, numbers: list[int]) -> None:
    if options.keep is None:
        return
    options.keep.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for _, name, data in mutants(format, options.seed, number + 1, number):
            (options.keep / f"{format}_{number}_{name}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
