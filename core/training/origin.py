"""What a training begins with, apart from its weights: what it takes over, what they have seen, and what is recorded.

`core.inference.start` finds an origin, and `core.inference.start_weights` gives its weights to a network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.plan import Plan
from core.errors import ConfigError, DatasetError
from core.files import sha256
from core.imaging.volume import Finding
from core.kept import kept_table

SEEN, START = "seen.json", "start.json"
DIGITS = 16  # of a hash are enough to tell scans apart
MAX_SEEN = 20_000  # scans that a model's manifest names
_SEEN_LIMIT = 100_000_000


@dataclass(frozen=True)
class Origin:
    """Weights to begin with.

    title: for people, such as "the run mri-pretrain". sha256: of the file, "" where it is not recorded yet.
    network, plan: the registered part and the plan they belong to; None of a file alone.
    seen: the first DIGITS of the contents (core.data.case.CaseFacts) of all scans they were ever trained on; None where
    that is not known. names: of the cases they were trained on, where only those are known.
    """

    title: str
    file: Path
    sha256: str = ""
    network: Any = None
    plan: Plan | None = None
    seen: frozenset[str] | None = None
    names: frozenset[str] = frozenset()


def taken_over(experiment: Any, origin: Origin | None) -> dict[str, Any]:
    """What an experiment gets from its start where it leaves it empty, by dotted key: the network, the grid.

    Raises ConfigError where it has another network.
    """
    if origin is None:
        return {}
    taken: dict[str, Any] = {} if origin.plan is None else {"data.spacing_mm": origin.plan.spacing_mm}
    if (there := origin.network) is None:
        return taken
    if there.name != experiment.model.name:
        raise ConfigError(
            f"task.start_from is {origin.title}, a {there.name}, and the network is a {experiment.model.name}",
            mend=f"Set model.name={there.name}, or start from another one.",
        )
    empty = (key for key, value in experiment.model if value is None and getattr(there, key) is not None)
    return taken | {f"model.{key}": getattr(there, key) for key in empty}


def unsure(origin: Origin, plan: Plan) -> list[Finding]:
    """What makes a start less sure, for the run's events."""
    found = []
    if origin.seen is None:
        checked = "by the names of cases only" if origin.names else "not at all"
        text = (
            f"Which scans {origin.title} was trained on is not known; test cases among them were looked for {checked}."
        )
        found.append(Finding("start-unknown", "warning", text))
    if origin.plan is not None:
        there, here = origin.plan.spacing_mm, plan.spacing_mm
        if any(abs(one / other - 1) > 0.05 for one, other in zip(there, here, strict=True)):
            sizes = " mm there and ".join(" x ".join(f"{n:g}" for n in size) for size in (there, here))
            text = f"The start was trained on another grid: {sizes} mm here. It may help less."
            found.append(Finding("start-spacing", "warning", text))
    return found


def check_overlap(origin: Origin, test: Mapping[str, str], *, allowed: bool) -> list[Finding]:
    """Refuse test cases, content by id, that the origin was trained on; where that is allowed, record it.

    Raises DatasetError.
    """
    if origin.seen is None:
        both, are = sorted(origin.names & test.keys()), "have the names of cases in"
    else:
        both, are = sorted(id for id, content in test.items() if content[:DIGITS] in origin.seen), "were in"
    if not both:
        return []
    text = f"{len(both)} of the {len(test)} test cases {are} the training of {origin.title}, such as {both[0]}"
    if not allowed:
        raise DatasetError(
            text, where="task.start_from",
            mend="Pretrain without them (the same seed and data.test_fraction leave the same ones out), or set"
            " task.allow_overlap=true, which is recorded.",
        )  # fmt: skip
    return [Finding("overlap", "warning", f"{text}; figures on the test part may flatter the network.")]


def start_text(origin: Origin, overlap: Iterable[Finding]) -> str:
    """What a run's folder keeps of its start (START)."""
    kept = {
        "title": origin.title, "file": str(origin.file), "sha256": origin.sha256 or sha256(origin.file),
        "network": origin.network.model_dump(mode="json") if origin.network is not None else None,
        "overlap": [finding.message for finding in overlap],
    }  # fmt: skip
    return json.dumps(kept, indent=1)


def start_of(folder: Path, file: str = START) -> dict[str, Any] | None:
    """What a run's folder keeps of its start, or None where it began with random weights."""
    return kept_table(folder / file) if (folder / file).exists() else None


def start_words(folder: Path, file: str = START) -> str:
    """What a model card says of a run's start: its title, and the test cases it had seen; "" where it had none."""
    kept = start_of(folder, file)
    return "" if kept is None else " ".join([f"{kept['title']}.", *kept["overlap"]])[:1000]


def seen_text(contents: Iterable[str], origin: Origin | None = None) -> str:
    """What a run's folder keeps of the scans its weights were trained on (SEEN), with those of its start.

    Not to be kept where the start's are not known: nothing should seem complete that is not.
    """
    before = frozenset[str]() if origin is None or origin.seen is None else origin.seen
    return json.dumps(sorted({*(content[:DIGITS] for content in contents), *before}))


def seen_in(folder: Path) -> list[str] | None:
    """What a run's folder keeps of the scans its weights were trained on, as a model's manifest has it."""
    path = folder / SEEN
    try:
        if path.stat().st_size > _SEEN_LIMIT:
            return None
        seen = sorted(str(content)[:DIGITS] for content in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return seen if len(seen) <= MAX_SEEN else None
