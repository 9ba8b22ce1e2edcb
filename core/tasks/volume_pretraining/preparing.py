"""What a pretraining is made of before it is trained: its scans checked, its plan and its split fixed."""

from __future__ import annotations

import json
from typing import Any

import yaml

from core.control import JobControl
from core.data.plan import PLAN
from core.data.split import SPLIT, Split, draw
from core.errors import ConfigError
from core.tasks.segmentation.preparing import FINGERPRINT
from core.tasks.volume_pretraining.scans import Scans, inspect
from core.training.given import Preparation
from core.training.origin import SEEN, seen_text
from core.training.planning import Proposal, propose


def checked(experiment: Any, control: JobControl) -> Scans:
    """The checked scans of an experiment. Raises ConfigError where none are chosen, DatasetError where none are."""
    if experiment.data.path is None:
        raise ConfigError("no scans are chosen", mend="Set data.path to a folder of scans.")
    return inspect(experiment.data.path.expanduser().absolute(), control)


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the scans, then fix plan and split. Raises DatasetError or ConfigError where the experiment cannot work."""
    scans = checked(experiment, control)
    proposal, split = planned(experiment, scans)
    plan = proposal.plan
    parts = ", ".join(f"{len(ids)} {part}" for part, ids in split.as_dict().items() if ids)
    patch, spacing = (" x ".join(f"{n:g}" for n in of) for of in (plan.patch_size, plan.spacing_mm))
    return Preparation(
        experiment=proposal.experiment,
        data_path=scans.path,
        layout=scans.layout,
        cases=len(scans.facts),
        findings=scans.findings,
        files={
            PLAN: proposal.reasons() + yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False),
            SPLIT: json.dumps(split.as_dict(), indent=1),
            SEEN: seen_text(scans.facts[id].content for id in (*split.train, *split.val)),
            FINGERPRINT: json.dumps(proposal.found.as_dict(), indent=1),
        },
        remarks=[f"{len(scans.facts)} scans ({parts}).", f"Patches of {patch} voxels at {spacing} mm."],
    )


def planned(experiment: Any, scans: Scans) -> tuple[Proposal, Split]:
    """The plan and the split of checked scans. Raises DatasetError or ConfigError where they cannot work."""
    scans.require_usable()
    data = experiment.data
    proposal = propose(experiment, scans, labelled=False)
    plan = proposal.plan
    if plan.flat is None and max(plan.patch_size) <= proposal.experiment.ssl.hidden_side:
        raise ConfigError(
            f"the patch of {' x '.join(map(str, plan.patch_size))} voxels is no larger than ssl.block",
            mend="Make ssl.block smaller, so that a part of a patch can be hidden.",
        )
    split = draw(scans.drawn(), val_fraction=data.val_fraction, test_fraction=data.test_fraction, seed=experiment.seed)
    return proposal, Split(sorted([*split.train, *_further(scans, split)]), split.val, split.test)


def _further(scans: Scans, split: Split) -> list[str]:
    """The scans that no part was drawn from, without those of subjects or with contents of the test part."""
    subjects = {scan.subject for scan in scans.cases if scan.id in split.test}
    contents = {scans.facts[id].content for id in split.test}
    return [
        scan.id for scan in scans.cases
        if scan.id in scans.further and scan.id in scans.facts
        and scan.subject not in subjects and scans.facts[scan.id].content not in contents
    ]  # fmt: skip
