"""What a fine-tuning is made of before it is trained: labelled stays, their parts, and an encoder that fits them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.control import JobControl
from core.data.stays.clean import check
from core.data.stays.coding import StayCoding, choose_variables
from core.data.stays.outcomes import Outcomes
from core.data.stays.read import chosen, read_stays
from core.data.stays.series import Stays, joined
from core.errors import ConfigError, DatasetError
from core.imaging.volume import Finding
from core.kept import kept_part
from core.tasks.finetuning.outcome import Target, target_of
from core.tasks.pretraining.encoders import Origin, encoder_config, origin_of
from core.tasks.pretraining.preparing import (
    CODING,
    FEWEST,
    SPLIT,
    CheckedStays,
    coding_of,
    coding_text,
    names,
    outcomes_of,
    place,
    require,
    sparse,
)
from core.tasks.tabular.splitting import draw
from core.training.given import Preparation

Array = np.ndarray[Any, Any]
TARGET, START = "target.yaml", "start.json"


@dataclass(frozen=True)
class CheckedLabelled(CheckedStays):
    """As the stays of a pretraining, with what is predicted; `stays` are those with a known outcome."""

    target: Target | None = None
    origin: Origin | None = None
    test: Stays | None = None

    def summary(self) -> str:
        found = super().summary()
        if self.target is None or not self.target.classes:
            return found
        codes, _ = self.target.of(self.outcomes, self.stays.ids)
        counts = np.bincount(codes.astype(int), minlength=len(self.target.classes))
        shares = ", ".join(f"{name} in {n:,}" for name, n in zip(self.target.classes[:6], counts, strict=False))
        return f"{found}; {self.target.title} is {shares}"


def checked(experiment: Any, control: JobControl) -> CheckedLabelled:
    """The labelled stays of an experiment with what is wrong, and the encoder it begins with.

    Raises ConfigError, DatasetError or ModelError where the experiment cannot work at all.
    """
    data, task = experiment.data, experiment.task
    path = place(data)
    everything = read_stays(path, control)
    stays, outcomes = chosen(everything, data.parts), outcomes_of(data, path)
    origin = origin_of(experiment.encoder.checkpoint) if experiment.encoder.checkpoint else None
    if origin is not None and origin.card is not None:
        variables = origin.card.coding.names
        gone = [name for name in variables if name not in stays.variables]
        if len(gone) == len(variables):
            raise DatasetError(
                f"none of the encoder's {len(variables)} variables is in the data, such as {', '.join(variables[:5])}",
                where=path, mend=f"There are: {', '.join(sorted(stays.variables)[:20])}.",
            )  # fmt: skip
        told = [Finding("no-variable", "warning", f"The data has no {', '.join(gone[:8])}.")] if gone else []
    else:
        variables = choose_variables(stays, data.variables, data.most_variables, task.targets)
        told = []
    target = target_of(task.kind, task.targets, outcomes, stays.ids)
    _, known = target.of(outcomes, stays.ids)
    findings = [*stays.findings, *told, *check(stays, variables), *sparse(stays, variables)]
    if not known.all():
        what = f"{int((~known).sum()):,} stays have no outcome ({target.title}); they are left out."
        findings.append(Finding("no-outcome", "warning", what))
    if known.sum() < FEWEST:
        what = f"{int(known.sum())} stays have an outcome; at least {FEWEST} are needed."
        findings.append(Finding("few-stays", "error", what))
    if origin is not None and origin.seen is None:
        what = f"What {origin.title} was trained on is not known, so an overlap with the test was not looked for."
        findings.append(Finding("start-unknown", "warning", what))
    stays = stays.take(np.flatnonzero(known))
    test = _test_stays(data, everything, stays, target, outcomes, control)
    return CheckedLabelled(path, stays, variables, outcomes, findings, target, origin, test)


def _test_stays(
    data: Any, everything: Stays, training: Stays, target: Target, outcomes: Outcomes, control: JobControl
) -> Stays | None:
    """The labelled stays of a test set of its own; None where there is none.

    Raises DatasetError where one of its stays is trained on too.
    """
    if data.test_parts and data.test_path is not None:
        raise ConfigError("data.test_parts and data.test_path cannot both be given")
    if not data.test_parts and data.test_path is None:
        return None
    if data.test_fraction:
        raise ConfigError("data.test_fraction and a test set of its own cannot both be given")
    if data.test_path is not None:
        where = data.test_path.expanduser().absolute()
        test, outcomes = read_stays(where, control), outcomes_of(data.model_copy(update={"outcomes": None}), where)
    else:
        test = chosen(everything, data.test_parts)
    test = test.take(np.flatnonzero(target.of(outcomes, test.ids)[1]))
    if not len(test):
        raise DatasetError("no stay of the test set has an outcome", mend="Set data.test_parts or data.test_path.")
    marks = training.fingerprints()
    both = np.flatnonzero(np.isin(test.fingerprints(), marks[marks != 0]))
    if len(both):
        raise DatasetError(
            f"{len(both):,} stays of the test set are among those that are trained on, such as {test.ids[both[0]]}",
            mend="Choose data.parts and the test set so that they share no stay.",
        )
    return test


def fitted(experiment: Any, origin: Origin | None) -> tuple[Any, StayCoding | None]:
    """The experiment with what its encoder was pretrained with, and that coding; what contradicts it is refused.

    Raises ConfigError with the names of what differs.
    """
    if origin is None or origin.card is None:
        return experiment, None
    card, encoder, data = origin.card, experiment.encoder, experiment.data
    there = encoder_config(card.encoder)
    wrong = [
        f"encoder.{key} is {getattr(encoder, key)} here and {value} there"
        for key, value in there
        if key != "checkpoint" and key in type(encoder).model_fields and key in encoder.model_fields_set
        and getattr(encoder, key) != value and key != "dropout"
    ]  # fmt: skip
    if encoder.name != there.name:
        wrong = [f"encoder.name is {encoder.name} here and {there.name} there"]
    coding = card.coding
    for key, value in (
        ("step_hours", coding.step_hours), ("max_hours", coding.steps * coding.step_hours), ("clip", coding.clip),
        ("variables", coding.names), ("statics", [static.name for static in coding.statics]),
    ):  # fmt: skip
        mine = getattr(data, key)
        if key in data.model_fields_set and mine not in ([], value):
            wrong.append(f"data.{key} is {_short(mine)} here and {_short(value)} there")
    if wrong:
        raise ConfigError(
            f"the experiment does not fit {origin.title}: {'; '.join(wrong)}", where="encoder.checkpoint",
            mend="Leave these keys out, so that they are taken from there, or begin with another encoder.",
        )  # fmt: skip
    dropout = encoder.dropout if "dropout" in encoder.model_fields_set else there.dropout
    encoder = there.model_copy(update={"checkpoint": encoder.checkpoint, "dropout": dropout})
    data = data.model_copy(
        update={
            "step_hours": coding.step_hours, "max_hours": coding.steps * coding.step_hours, "clip": coding.clip,
            "variables": coding.names, "statics": [static.name for static in coding.statics],
        }
    )  # fmt: skip
    return experiment.model_copy(update={"encoder": encoder, "data": data}), coding


def _short(value: Any) -> str:
    return f"{len(value)} of them ({', '.join(value[:3])} ...)" if isinstance(value, list) else f"{value:g}"


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the stays, split them, and fit or take over the coding. Raises ConfigError, DatasetError or ModelError."""
    found = checked(experiment, control)
    require(found)
    target = found.target
    if target is None:
        raise DatasetError("nothing is predicted", where=found.path)
    experiment, coding = fitted(experiment, found.origin)
    control.progress(None, "Splitting the stays")
    data, task = experiment.data, experiment.task
    value, _ = target.of(found.outcomes, found.stays.ids)
    strata = value.astype(np.int64) if target.classes else None
    split = draw(len(found.stays), strata, None, data.val_fraction, data.test_fraction, experiment.seed)
    split["train"] = fewer(split["train"], strata, data.label_fraction, experiment.seed)
    if target.classes:
        for part in ("train", "val"):
            gone = [name for code, name in enumerate(target.classes) if not (value[split[part]] == code).any()]
            if gone:
                raise DatasetError(f"no {part} stay has the outcome {', '.join(gone)}", where=found.path,
                                   mend="Take more labels, another seed or other shares.")  # fmt: skip
        if task.class_weights and len(task.class_weights) != len(target.classes):
            raise ConfigError(
                f"task.class_weights has {len(task.class_weights)} weights for {len(target.classes)} classes",
                mend=f"Give one for each of {', '.join(target.classes)}.",
            )
    if target.kind == "regression":  # scaled by the training stays alone
        known = value[split["train"]].astype(np.float64) * target.scale + target.mean
        spread = float(known.std()) or target.scale
        target = target.model_copy(update={"mean": float(known.mean()), "scale": spread})
    named = {part: sorted(names(found.stays, rows)) for part, rows in split.items()}
    test = found.stays.take(split["test"]) if found.test is None else found.test
    if found.test is not None:
        named["test"] = sorted(names(test, np.arange(len(test))))
    findings = [*found.findings, *_overlap(found.origin, test, data.allow_unlabelled_overlap)]
    if coding is None:
        coding = coding_of(data, found.stays.take(split["train"]), found.variables)
    start = None if found.origin is None else found.origin.title
    return Preparation(
        experiment=experiment, data_path=found.path, layout="stays", cases=len(found.stays), findings=findings,
        files={
            CODING: coding_text(coding), SPLIT: json.dumps(named),
            TARGET: yaml.safe_dump(target.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            START: json.dumps({"title": start, "overlap": [f.message for f in findings if f.code == "overlap"]}),
        },
        remarks=[
            f"{found.summary()}. {', '.join(f'{len(ids):,} {part}' for part, ids in named.items() if ids)}.",
            "The encoder begins with random weights." if start is None else f"The encoder begins with {start}.",
        ],
    )  # fmt: skip


def fewer(rows: Array, strata: Array | None, fraction: float, seed: int) -> Array:
    """Part of the rows, of each stratum alike; of one seed a smaller part lies within a larger one."""
    if fraction == 1:
        return rows
    rng = np.random.default_rng((seed, 17))
    order = rng.permutation(rows)
    kinds = np.zeros(len(order), int) if strata is None else strata[order]
    kept = [order[kinds == kind] for kind in np.unique(kinds)]
    return np.sort(np.concatenate([part[: max(round(fraction * len(part)), 1)] for part in kept]))


def _overlap(origin: Origin | None, test: Stays, allowed: bool) -> list[Finding]:
    """Test stays that the encoder was pretrained on. Raises DatasetError where that is not allowed."""
    if origin is None or not len(test):
        return []
    both = np.flatnonzero(origin.overlap(test))
    if not len(both):
        return []
    what = (
        f"{len(both):,} of the {len(test):,} test stays are among those that {origin.title} learned from, such as"
        f" {test.ids[both[0]]}"
    )
    if not allowed:
        raise DatasetError(
            what, where="encoder.checkpoint",
            mend="Pretrain without them (data.parts), or set data.allow_unlabelled_overlap=true, which is recorded.",
        )  # fmt: skip
    return [Finding("overlap", "warning", f"{what}; no outcome was seen there.")]


def load_target(folder: Path) -> Target:
    """What a run predicts, from its folder."""
    return kept_part(folder / TARGET, Target)


def every_stay(experiment: Any, path: Path, control: JobControl) -> tuple[Stays, Outcomes]:
    """All stays that a run may name, and their outcomes: also those of a test set of its own."""
    data = experiment.data
    stays, outcomes = read_stays(path, control), outcomes_of(data, path)
    if data.test_path is None:
        return stays, outcomes
    where = data.test_path.expanduser().absolute()
    more = outcomes_of(data.model_copy(update={"outcomes": None}), where)
    columns = {name: [*of, *more.columns.get(name, [None] * len(more.ids))] for name, of in outcomes.columns.items()}
    return joined([stays, read_stays(where, control)]), Outcomes([*outcomes.ids, *more.ids], columns)
