"""Finding the cases of a segmentation data set and checking them before anything is trained.

Three layouts are known: the Medical Segmentation Decathlon (`dataset.json`, imagesTr, labelsTr), nnU-Net
(the same folders, images named CASE_0000), and plain `images/` + `labels/`. Files may be NIfTI, NRRD or MetaImage.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.case import Case, CaseFacts
from core.data.check_cache import CheckCache
from core.data.check_case import MAX_LABELS, check_case
from core.data.plan import Label
from core.data.regions import described
from core.errors import DatasetError
from core.imaging import channels
from core.imaging.channels import numbered
from core.imaging.titles import is_volume_name, stem_of
from core.imaging.volume import Finding

_LAYOUTS = (("imagesTr", "labelsTr"), ("images", "labels"), ("imagesTs", "labelsTs"))
IMAGE_FOLDERS = tuple(images for images, _ in _LAYOUTS)
_JSON_LIMIT = 5_000_000


@dataclass(frozen=True)
class Dataset:
    """A checked data set. It can be trained on when no finding is an error.

    regions: the structures that may lie in one another, where its description lists such (see core.data.regions).
    channels: the names of the images of a subject, in their order.
    """

    path: Path
    layout: str
    modality: str
    cases: tuple[Case, ...]
    labels: tuple[Label, ...]
    facts: dict[str, CaseFacts]
    findings: tuple[Finding, ...]
    regions: tuple[Label, ...] = ()
    channels: tuple[str, ...] = ("image",)

    @property
    def usable(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def summary(self) -> str:
        """One line for the form and the log."""
        names = ", ".join(label.name for label in self.regions or self.labels)
        images = f" of {len(self.channels)} images ({', '.join(self.channels)})" if len(self.channels) > 1 else ""
        return f"{len(self.cases)} cases{images} · {self.layout} · {names}"

    def described(self) -> list[tuple[str, str]]:
        """What a person wants to know of the data set, as pairs of name and text."""
        known = list(self.facts.values())
        rows = [("Cases", f"{len(self.cases)} · {self.layout}")]
        if self.labels:
            rows.append(("Labels", ", ".join(f"{one.name} ({one.value})" for one in self.labels[:8])))
        if known:
            rows.append(("Shapes", _span([fact.shape for fact in known], "{:.0f}")))
            rows.append(("Spacing", _span([fact.spacing_mm for fact in known], "{:.3g}") + " mm"))
        return rows

    def require_usable(self) -> None:
        """Raise DatasetError with every error finding."""
        errors = [finding.message for finding in self.findings if finding.severity == "error"]
        if errors:
            shown = " ".join(errors[:5]) + (f" (and {len(errors) - 5} more)" if len(errors) > 5 else "")
            raise DatasetError(shown.rstrip("."), where=self.path, mend="Mend or remove these cases, then check again.")


def _span(values: Sequence[tuple[float, ...]], form: str) -> str:
    low, high = np.min(values, axis=0), np.max(values, axis=0)
    texts = [" × ".join(form.format(n) for n in edge) for edge in (low, high)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"


def inspect(path: Path, control: JobControl | None = None) -> Dataset:
    """Find and check every case of a data set folder; a case whose files are as they were is not read again.

    Raises DatasetError where no cases are found; everything wrong with single cases becomes a finding.
    """
    control = control or JobControl()
    path = Path(path)
    layout, cases, unpaired = discover(path)
    description = _description(path)
    findings = list(unpaired)
    facts: dict[str, CaseFacts] = {}
    cache = CheckCache(path)
    for number, case in enumerate(cases):
        control.progress(number / len(cases), f"Checking {case.id} ({number + 1} of {len(cases)})")
        if (known := cache.get(case)) is not None:
            findings += known[0]
            facts[case.id] = known[1]
            continue
        found, fact = check_case(case, len(_channel_names(description)))
        findings += found
        if fact is not None:
            facts[case.id] = fact
            cache.put(case, found, fact)
    cache.save()
    labels = _labels(description, facts)
    findings += _check_together(cases, facts, labels, description)
    try:
        regions = tuple(described(description))
    except (ValueError, TypeError) as error:
        what = str(error).splitlines()[0]
        regions, findings = (), [*findings, Finding("regions", "error", f"dataset.json: {what}.")]
    order = {"error": 0, "warning": 1, "info": 2}
    return Dataset(
        path=path,
        layout=layout,
        modality=_modality(description),
        cases=tuple(cases),
        labels=labels,
        facts=facts,
        findings=tuple(sorted(findings, key=lambda finding: order[finding.severity])),
        regions=regions,
        channels=_channels(description, facts),
    )


def discover(path: Path) -> tuple[str, list[Case], list[Finding]]:
    """The layout's name, the pairs of image and label, and a finding for each file without its other half."""
    if not path.is_dir():
        raise DatasetError(
            "this is not a folder", where=path, mend="Choose the folder that holds the images and labels."
        )
    for images_name, labels_name in _LAYOUTS:
        images, labels = path / images_name, path / labels_name
        if images.is_dir() and labels.is_dir():
            break
    else:
        raise DatasetError(
            "no images and labels were found",
            where=path,
            mend="A data set has imagesTr and labelsTr (Decathlon, nnU-Net) or images and labels beside each other.",
        )
    findings: list[Finding] = []
    label_of: dict[str, Path] = {}
    for file in _scans(labels):
        _keep(label_of, stem_of(file), file, findings)
    image_of: dict[str, Path] = {}
    channels_of_case: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in _scans(images):
        stem = stem_of(file)
        if stem not in label_of and (part := numbered(stem)) is not None:
            stem, channel = part
            kept = channels_of_case[stem].setdefault(channel, file)
            if channel == 0 or kept != file:
                _keep(image_of, stem, file, findings)
            continue
        _keep(image_of, stem, file, findings)
    findings += _missing_channels(channels_of_case, label_of)
    without = {stem: min(of.items())[1] for stem, of in channels_of_case.items() if stem not in image_of}
    for stem in sorted((image_of | without).keys() - label_of.keys()):
        name = (image_of | without)[stem].name
        findings.append(Finding("no-label", "warning", f"{name} has no label file and is left out."))
    for stem in sorted(label_of.keys() - image_of.keys() - without.keys()):
        findings.append(Finding("no-image", "warning", f"{label_of[stem].name} has no image and is left out."))
    stems = sorted(image_of.keys() & label_of.keys())
    if not stems:
        raise DatasetError(
            "no image has a label of the same name", where=path, mend="Give each label the name of its image."
        )
    nnunet = bool(channels_of_case)
    name = "nnU-Net" if nnunet else "images and labels" if images_name == "images" else "Decathlon"
    further = {stem: tuple(file for n, file in sorted(of.items()) if n > 0) for stem, of in channels_of_case.items()}
    cases = [Case(stem, image_of[stem], label_of[stem], subject_of(stem), further.get(stem, ())) for stem in stems]
    return name, cases, findings


def _missing_channels(found: dict[str, dict[int, Path]], labels: dict[str, Path]) -> list[Finding]:
    """Cases that lack a channel which others have."""
    there = {stem: of for stem, of in found.items() if stem in labels}
    count = max((max(of) + 1 for of in there.values()), default=0)
    findings = []
    for stem, of in there.items():
        if missing := [f"{stem}_{number:04d}" for number in range(count) if number not in of]:
            findings.append(Finding("missing-channel", "error", f"{stem}: {', '.join(missing)} is missing."))
    return findings


def _scans(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if is_volume_name(file.name))


def _keep(found: dict[str, Path], stem: str, file: Path, findings: list[Finding]) -> None:
    """Take a file for its case, unless another format of it is there already."""
    kept = found.setdefault(stem, file)
    if kept != file:
        findings.append(
            Finding("same-name", "warning", f"{file.name} is left out: {kept.name} beside it has the same name.")
        )


def subject_of(stem: str) -> str:
    """The subject of a BIDS name (`sub-01_ses-2_T1w` -> `sub-01`), else the case itself."""
    return stem.split("_")[0] if stem.startswith("sub-") else stem


def _description(path: Path) -> dict[str, Any]:
    file = path / "dataset.json"
    try:
        if not file.is_file() or file.stat().st_size > _JSON_LIMIT:
            return {}
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def described_as(path: Path, facts: dict[str, CaseFacts]) -> tuple[str, tuple[str, ...]]:
    """The modality that a data set's description names, or "", and the names of its cases' channels."""
    description = _description(path)
    return _modality(description), _channels(description, facts)


def _modality(description: dict[str, Any]) -> str:
    first = next(iter(_channel_names(description)), "")
    return {"MRI": "MR", "T1": "MR"}.get(first, first[:16])


def _channel_names(description: dict[str, Any]) -> list[str]:
    """The channels as the description names them: by number in the Decathlon and in nnU-Net."""
    listed = description.get("modality") or description.get("channel_names") or {}
    if not isinstance(listed, dict) or not all(str(number).isdigit() for number in listed):
        return []
    return [str(name)[:120] for _, name in sorted(listed.items(), key=lambda one: int(one[0]))][: channels.MOST]


def _channels(description: dict[str, Any], facts: dict[str, CaseFacts]) -> tuple[str, ...]:
    """A name for each channel that the images have."""
    count = max((fact.channels for fact in facts.values()), default=1)
    names = _channel_names(description)
    if len(names) == count:
        return tuple(names)
    return ("image",) if count == 1 else tuple(f"channel {number}" for number in range(1, count + 1))


def _label_names(description: dict[str, Any]) -> dict[int, str]:
    """Label values to names; the Decathlon writes {"1": "Anterior"}, nnU-Net {"Anterior": 1}."""
    names: dict[int, str] = {}
    listed = description.get("labels")
    for key, value in listed.items() if isinstance(listed, dict) else ():
        if str(key).isdigit():
            names[int(key)] = str(value)
        elif isinstance(value, int):
            names[value] = str(key)
        elif isinstance(value, list):  # a region; its values have no names of their own
            names |= {each: f"Label {each}" for each in value if isinstance(each, int) and each not in names}
    return {value: name[:120] for value, name in names.items() if value > 0 and name}


def _labels(description: dict[str, Any], facts: dict[str, CaseFacts]) -> tuple[Label, ...]:
    names = _label_names(description)
    values = sorted({value for fact in facts.values() for value in fact.voxels} | names.keys())
    return tuple(Label(value=v, name=names.get(v, f"Label {v}")) for v in values if 0 < v <= 65_535)[:MAX_LABELS]


def _check_together(
    cases: list[Case], facts: dict[str, CaseFacts], labels: tuple[Label, ...], description: dict[str, Any]
) -> list[Finding]:
    findings = []
    same: dict[str, list[str]] = defaultdict(list)
    for id, fact in facts.items():
        same[fact.content].append(id)
    for ids in same.values():
        if len(ids) > 1:
            findings.append(
                Finding(
                    "duplicate",
                    "warning",
                    f"{', '.join(ids)} hold the same image; they are kept on one side of the split.",
                )
            )
    findings += check_channels(facts, len(_channel_names(description)))
    named = _label_names(description)
    for label in labels:
        having = sum(label.value in fact.voxels for fact in facts.values())
        told = "1 case" if having == 1 else f"{having} cases"
        if named and label.value not in named:
            findings.append(
                Finding(
                    "unlisted-label",
                    "error",
                    f"Label {label.value} is in {told} but not in dataset.json.",
                )
            )
        elif having == 0:
            findings.append(
                Finding("absent-label", "warning", f"{label.name} is listed, but no case has it; it is left out.")
            )
    if facts and not labels:
        findings.append(Finding("no-labels", "error", "No case has anything labelled."))
    if len(facts) < 2:
        findings.append(
            Finding("too-few", "error", "At least two readable cases are needed: one to train, one to validate.")
        )
    if len({fact.spacing_mm for fact in facts.values()}) > 1:
        spacings = np.array([fact.spacing_mm for fact in facts.values()])
        if (spacings.max(axis=0) / spacings.min(axis=0)).max() > 1.05:
            low, high = (" x ".join(f"{s:.2f}" for s in edge) for edge in (spacings.min(axis=0), spacings.max(axis=0)))
            findings.append(
                Finding("spacing", "info", f"Spacings run from {low} to {high} mm; scans are brought to one grid.")
            )
    return findings


def channels_named(path: Path) -> int:
    """How many channels a data set's description names; 0 where it names none."""
    return len(_channel_names(_description(path)))


def check_channels(facts: dict[str, CaseFacts], named: int) -> list[Finding]:
    """Whether all cases have as many channels, and as many as are named."""
    counts: dict[int, list[str]] = defaultdict(list)
    for id, fact in facts.items():
        counts[fact.channels].append(id)
    if len(counts) > 1:
        least, most = min(counts), max(counts)
        text = f"Cases differ in their channels: {counts[least][0]} has {least}, {counts[most][0]} has {most}."
        return [Finding("channels", "error", text)]
    if counts and named > 1 and named not in counts:
        text = f"dataset.json names {named} channels, and the images have {next(iter(counts))}."
        return [Finding("channels", "error", text)]
    return []
