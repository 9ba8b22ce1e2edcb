"""The model card: what a person should know before using a model, made from the package's own facts."""

from __future__ import annotations

from core.files import write_text
from core.imaging.channels import said
from core.inference import cost, region_first
from core.inference.package import CARD, ModelPackage


def write_card(package: ModelPackage) -> None:
    """Write card.md into the package's folder."""
    write_text(package.folder / CARD, card_text(package))


def card_text(package: ModelPackage) -> str:
    """The card as Markdown (Mitchell et al. 2019, the parts that apply)."""
    manifest, plan, training = package.manifest, package.plan, package.manifest.training
    structures = ", ".join(f"{label.name} ({label.value})" for label in plan.labels)
    cases = ", ".join(f"{n} {_PART[part]}" for part, n in training.cases.items() if n)
    voxels = (
        "its voxels stay as they are" if package.any_voxels else f"it is brought to {_by(plan.spacing_mm)} mm voxels"
    )
    images = (
        f"one {plan.modality or 'image'} volume"
        if plan.channels == 1
        else f"{said(plan.named_channels)} of a subject on one grid"
    )
    lines = [
        f"# {manifest.title}",
        "",
        f"Model `{manifest.name}`, version {manifest.version}. **Research use only.**",
        "",
        f"Finds: {structures}. Input: {images}; {voxels}. Output: a label map on the scan's own grid.",
        "",
        "## Training data",
        "",
        f"{training.data}. Licence: {training.licence or 'not stated'}.",
        f"Cases: {cases or 'not recorded'}.",
    ]
    if training.simulated:
        lines += ["", "**The training data is simulated.** Accuracy on real scans is unknown."]
    if plan.shape_range is not None:
        low, high = ([n * s for n, s in zip(shape, plan.spacing_mm, strict=True)] for shape in plan.shape_range)
        lines += ["", f"The scans covered {_by(low)} to {_by(high)} mm (right-left, front-back, head-foot)."]
    lines += ["", "## How it was trained", "", training.protocol or "Not recorded."]
    if training.started_from:
        lines += ["", f"It began with the weights of {training.started_from}"]
    lines += ["", "## Accuracy", "", *_accuracy(package)]
    lines += ["", "## Confidence", "", _confidence(package)]
    lines += _cost(package)
    if manifest.whole_head is not None:
        sides = " and ".join(region.side for region in manifest.whole_head.regions)
        lines += ["", "## Whole heads", "", _WHOLE_HEAD.format(sides=sides)]
    lines += ["", "## Intended use", "", manifest.intended_use or "Research."]
    lines += ["", "## Must not be used for", "", manifest.forbidden_use or "Clinical decisions."]
    return "\n".join(lines) + "\n"


_WHOLE_HEAD = (
    "A whole head is brought to the template (ICBM 152, MNI), unless it lies there already, cut at the template's"
    " coordinates and predicted {sides}; one that cannot be registered is refused. The accuracy above is that on crops"
    " like the training scans, not on whole heads."
)
_PART = {"train": "for training", "val": "for validation", "test": "for the test"}


def _accuracy(package: ModelPackage) -> list[str]:
    training = package.manifest.training
    if not training.dice:
        return ["Not measured."]
    cases = training.cases.get("train" if training.measured_on == "folds" else training.measured_on, 0)
    what = {
        "val": "validation cases: not trained on, but the checkpoint was chosen by them, so slightly optimistic",
        "test": "test cases, used neither for training nor for choosing the checkpoint",
        "folds": "cases, each predicted by the one network that was not trained on it; the ensemble's own accuracy was"
        " not measured",
    }[training.measured_on]
    table = ["| Structure | Mean | SD over cases |", "| --- | --- | --- |"]
    for name, dice in training.dice.items():
        spread = "" if dice.sd is None else f"{dice.sd:.3f}"
        table.append(f"| {name} | {dice.mean:.3f} | {spread} |")
    return [f"Dice per structure on {cases} {what}.", "", *table]


def _confidence(package: ModelPackage) -> str:
    """Whether a confidence of 0.9 means that 9 of 10 such voxels are right."""
    found = package.manifest.calibration
    if found is None:
        return "Not calibrated: it shows where to look first, not how likely an error is."
    kinds = {"val": "validation", "test": "test", "folds": "left-out"}
    fitted = f"{found.fitted_cases} {kinds[found.fitted_on]} cases"
    measured = (
        "on the same cases, each half at the temperature of the other half"
        if found.halves
        else f"on {found.cases} {kinds[found.measured_on]} cases"
    )
    alone = (
        " How sure the ensemble is of each was held against whether the one network that had not seen it is right."
        if found.fitted_on == "folds" else ""
    )  # fmt: skip
    return (
        f"Calibrated by temperature scaling ({found.temperature:.2f}), fitted on {fitted}.{alone} Expected calibration"
        f" error over voxels in and around the structures, {measured}: {found.error_before:.3f} before,"
        f" {found.error_after:.3f} after. Label maps are not changed by it."
    )


def _cost(package: ModelPackage) -> list[str]:
    """What the model's ways of predicting cost; nothing where there is but one."""
    count, turns = cost.members(package), cost.mirrorings(package)
    lines = []
    if count > 1:
        lines.append(
            f"An ensemble: the probabilities of {count} networks are averaged, in {count} times the time of one."
            " `--members 1` predicts with the first alone."
        )
    if turns > 1:
        lines.append(
            f"Averaging over mirrorings (`--mirror always`) takes {turns} times as long. Small scans, where that is"
            " cheap, are mirrored unless `--mirror never` is given. `--mirror structures` mirrors larger ones where the"
            f" structures are, in at most {cost.at_most(package)} times the time."
        )
    if region_first.safe(package.plan):
        lines.append(
            "Scans of many windows are looked at coarsely first, then closely where the structures are: at best in an"
            " eighth of the time, never in more, with the same answer there. `--roi never` looks closely everywhere."
        )
    return ["", "## What it costs", "", *lines] if lines else []


def _by(numbers: tuple[float, ...] | list[float]) -> str:
    return " x ".join(f"{n:g}" for n in numbers)
