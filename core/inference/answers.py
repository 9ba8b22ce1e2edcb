"""Answers of models for tables, stays and subjects: in words, and as rows of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from core.catalog import Catalog
from core.files import sha256
from core.inference.package import AnyPackage

KEPT_FINDINGS = 20
NAMED_CLASSES = 3
CASES = {"row": "rows", "stay": "stays", "subject": "subjects"}


def named(outcome: str, value: object) -> str:
    """A class or label together with the column that it is a value of.

    >>> named("died", 1), named("", "malignant"), named("died", "died")
    ('died = 1', 'malignant', 'died')
    """
    return f"{outcome} = {value}" if outcome and outcome != str(value) else str(value)


def asked_of(prediction: Mapping[str, Any]) -> str:
    """The class that an answer is about: of two the second, which is the event; of more the one decided for.

    >>> asked_of({"probabilities": {"0": 0.9, "1": 0.1}, "predicted": "0"})
    '1'
    """
    names = list(prediction.get("probabilities", ()))
    if "interval_of" in prediction:
        return str(prediction["interval_of"])
    return names[1] if len(names) == 2 else str(prediction.get("predicted", names[0] if names else ""))


def in_words(prediction: Mapping[str, Any]) -> str:
    """One answer in a few words.

    >>> in_words({"outcome": "died", "probabilities": {"0": 0.41, "1": 0.59}, "predicted": "1", "interval": [0.5, 0.7]})
    'died = 1: 59% (50% to 70%)'
    >>> in_words({"score": 0.432, "interval": [0.3, 0.56]})
    'score 0.432 (0.3 to 0.56)'
    """
    low, high = prediction.get("interval") or (None, None)
    outcome = str(prediction.get("outcome", ""))
    if "score" in prediction:
        between = "" if low is None else f" ({low:.3g} to {high:.3g})"
        return f"{outcome or 'score'} {prediction['score']:.3g}{between}"
    shares = prediction.get("probabilities") or {}
    if "predicted" not in prediction:  # several labels, each by itself
        return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    asked = asked_of(prediction)
    between = "" if low is None else f" ({low:.0%} to {high:.0%})"
    return f"{named(outcome, asked)}: {shares[asked]:.0%}{between}"


def summed_up(predictions: Sequence[Mapping[str, Any]]) -> str:
    """The answers to one file in a few words.

    >>> rows = [{"row": n, "outcome": "died", "predicted": "01"[n > 1], "probabilities": {}} for n in range(5)]
    >>> summed_up(rows)
    '5 rows: died = 1 in 3, 0 in 2'
    >>> summed_up([{"stay": n, "outcome": "days", "score": n / 2} for n in range(5)])
    '5 stays: days 0 to 2, median 1'
    """
    if len(predictions) == 1:
        return in_words(predictions[0])
    first = predictions[0]
    count = f"{len(predictions):,} {next((words for key, words in CASES.items() if key in first), 'cases')}"
    outcome = str(first.get("outcome", ""))
    if "score" in first:
        scores = [float(one["score"]) for one in predictions]
        return f"{count}: {outcome or 'score'} {min(scores):.3g} to {max(scores):.3g}, median {median(scores):.3g}"
    if "predicted" not in first:
        return count
    common = Counter(str(one["predicted"]) for one in predictions).most_common()
    told = [f"{name} in {many:,}" for name, many in common[:NAMED_CLASSES]]
    told[0] = f"{named(outcome, common[0][0])} in {common[0][1]:,}"
    return f"{count}: {', '.join(told)}" + (" …" if len(common) > NAMED_CLASSES else "")


def record(
    package: AnyPackage, found: Mapping[str, Any], *, source: Path | None = None,
    given: Mapping[str, Any] | None = None, in_place_of: int | None = None,
) -> list[int]:  # fmt: skip
    """Record what a model's kind answered: a row for each file, of subjects one for each. Returns the rows' ids.

    source: the file as its user knows it, where it was another that was read. given: see `PredictionRow`.
    in_place_of: the row of an earlier answer that this single one takes the place of.
    Raises CatalogError, or IsocenterError where the answers' file is gone.
    """
    ids = []
    outputs = [Path(output) for output in found.get("outputs", ())]
    with Catalog() as catalog:
        for (output, subject), group in groupby(
            found["predictions"], lambda one: (str(one["output"]), str(one.get("subject", "")))
        ):
            cases = list(group)
            whole = _whole(Path(output), outputs)
            findings = {one["message"]: one for case in cases for one in case.get("findings", ())}
            more = {"subject": subject} if subject else {}
            ids.append(
                catalog.add_prediction(
                    scan=(source or Path(cases[0]["scan"])).absolute(), model=package.name,
                    model_version=package.version, output=whole.absolute(), sha256=sha256(whole), structures=[],
                    findings=list(findings.values())[:KEPT_FINDINGS],
                    seconds=sum(float(case.get("seconds", 0.0)) for case in cases), device="",
                    task=str(package.as_dict()["task"]), answer=summed_up(cases), given={**more, **(given or {})},
                    in_place_of=in_place_of,
                )
            )  # fmt: skip
    return ids


def _whole(output: Path, outputs: Sequence[Path]) -> Path:
    """The file that holds all of the answers: JSON beside a table of them, where there is one."""
    beside = output.with_suffix(".json")
    return beside if beside in outputs else output
