"""A stay put to a model through its kind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.control import JobControl
from core.data.stays.series import Stays
from core.errors import ModelError
from core.inference.answers import named, record
from core.inference.package import AnyPackage
from gui.stays.series import write_stay

DATA_KIND = "stays"


def predict_stay(
    package: AnyPackage, source: Path, stays: Stays, number: int, out: Path, control: JobControl
) -> dict[str, Any]:
    """A model's answer to one stay with its course and its reasons, recorded. Raises IsocenterError.

    source: where the stays were read from.
    """
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model for stays.")
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        path = Path(folder) / "stay.csv"
        write_stay(stays, number, path, control)
        found = kind.predict(package, [path], out, {"explain": True, "device": "auto"}, control)
    record(package, found, source=source, given={"stay": stays.ids[number]})
    answer: dict[str, Any] = found["predictions"][0]
    return answer


def said_of(answer: Mapping[str, Any], asked: str) -> tuple[str, str]:
    """The figure of an answer, and what it is of, in words. asked: the class or label that is told.

    >>> said_of({"outcome": "died", "probabilities": {"1": 0.59}, "interval": [0.5, 0.7], "predicted": "1"}, "1")
    ('59%', 'probability of died = 1, between 50% and 70%; decided: 1')
    """
    outcome, interval = str(answer.get("outcome", "")), answer.get("interval")
    if "score" in answer:
        figure = f"{answer['score']:.3g}"
        of = outcome + (f", between {interval[0]:.3g} and {interval[1]:.3g}" if interval else "")
    else:
        share = (answer.get("probabilities") or {}).get(asked)
        figure = f"{share:.0%}" if share is not None else "–"
        # A label of several is its own column.
        of = f"probability of {named('' if 'predicted' not in answer else outcome, asked)}"
        of += f", between {interval[0]:.0%} and {interval[1]:.0%}" if interval else ""
    told = [of] if of else []
    if answer.get("predicted") is not None:
        told.append(f"decided: {answer['predicted']}")
    if answer.get("measurements") is not None:
        told.append(f"from {answer['measurements']:,} measurements")
    return figure, "; ".join(told)
