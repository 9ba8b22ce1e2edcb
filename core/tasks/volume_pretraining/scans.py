"""The scans of a folder, with or without labels, checked as a segmentation's data set is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.control import JobControl
from core.data.case import CaseFacts, Scan
from core.data.check_cache import CheckCache
from core.data.check_case import look_at
from core.data.dataset import (
    IMAGE_FOLDERS,
    channels_named,
    check_channels,
    described_as,
    discover,
    subject_of,
)  # fmt: skip
from core.data.plan import Label
from core.errors import DatasetError, IsocenterError
from core.imaging import channels
from core.imaging.reader import read
from core.imaging.volume import Finding


@dataclass(frozen=True)
class Scans:
    """Checked scans. The parts are drawn among `cases` without the `further` ones, which are for training alone.

    further: ids of scans that no label file belongs to in a data set that has labels: unpaired images, imagesTs. A
    segmentation of the same folder draws its parts among the same others.
    """

    path: Path
    layout: str
    modality: str
    cases: tuple[Scan, ...]
    facts: dict[str, CaseFacts]
    findings: tuple[Finding, ...]
    further: frozenset[str] = frozenset()
    channels: Sequence[str] = ("image",)
    labels: Sequence[Label] = ()
    regions: Sequence[Label] = ()

    @property
    def usable(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def summary(self) -> str:
        """One line for the form and the log."""
        return f"{len(self.facts)} scans · {self.layout}"

    def require_usable(self) -> None:
        """Raise DatasetError where there are too few readable scans."""
        for finding in self.findings:
            if finding.severity == "error":
                raise DatasetError(finding.message, where=self.path, mend="Choose a folder with more scans.")

    def drawn(self) -> Scans:
        """These without the further ones."""
        return replace(self, cases=tuple(scan for scan in self.cases if scan.id not in self.further))


def inspect(path: Path, control: JobControl) -> Scans:
    """Find and check every scan; one that cannot be read or is no volume is left out with a warning.

    Raises DatasetError where the folder holds no scans.
    """
    layout, scans, further = find(path, control)
    named = channels_named(path)
    cache = CheckCache(path, "scans")
    findings: list[Finding] = []
    facts: dict[str, CaseFacts] = {}
    for number, scan in enumerate(scans):
        control.check()
        control.progress(number / len(scans), f"Checking {scan.id} ({number + 1} of {len(scans)})")
        if (known := cache.get(scan)) is None:
            found, fact = _checked(scan, named)
            if fact is not None:
                cache.put(scan, found, fact)
        else:
            found, fact = known
        findings += found
        if fact is not None:
            facts[scan.id] = fact
    cache.save()
    if len(facts) < 2:
        what = f"{len(facts)} of {len(scans)} scans can be used; at least two are needed"
        findings.insert(0, Finding("too-few", "error", f"{what}: one to train on, one to validate."))
    findings += check_channels(facts, named)
    modality, names = described_as(path, facts)
    return Scans(path, layout, modality, tuple(scans), facts, tuple(findings), further, channels=names)


def find(path: Path, control: JobControl) -> tuple[str, list[Scan], frozenset[str]]:
    """The layout's name, the scans, and the ids of those that no label belongs to in a data set with labels.

    Raises DatasetError where there are none.
    """
    if not path.is_dir():
        raise DatasetError("this is not a folder", where=path, mend="Choose the folder that holds the scans.")
    try:
        layout, cases, _ = discover(path)
    except DatasetError:  # no labels: every scan in the folder and below it
        scans = _every(path, control)
        if not scans:
            raise DatasetError(
                "no scans were found", where=path, mend="Choose a folder of NIfTI, NRRD, MetaImage or DICOM scans."
            ) from None
        return "scans", scans, frozenset()
    paired = [Scan(case.id, case.image, case.subject, further=case.further) for case in cases]
    if channels_named(path) > 1 or any(case.further for case in cases):
        return layout, paired, frozenset()  # which files belong together is known of the cases only
    known = {image for case in cases for image in case.images}
    folders = [path / name for name in IMAGE_FOLDERS if (path / name).is_dir()]
    others = [
        Scan(_id(path, scan.image), scan.image, scan.subject, scan.series)
        for folder in folders for scan in _every(folder, control) if scan.image not in known
    ]  # fmt: skip
    return layout, [*paired, *others], frozenset(scan.id for scan in others)


def _every(folder: Path, control: JobControl) -> list[Scan]:
    from core.inference.cases import cases_in

    return [
        Scan(_id(folder, case.scan.with_name(case.name)), case.scan, subject_of(case.name), case.series)
        for case in cases_in(folder, control).cases
    ]


def _id(root: Path, place: Path) -> str:
    """A name that tells scans in different folders apart and can be a file's."""
    from core.imaging.titles import stem_of

    return "_".join([*place.relative_to(root).parent.parts, stem_of(place)])


def _checked(scan: Scan, named: int) -> tuple[list[Finding], CaseFacts | None]:
    try:
        image = read(scan.image, series=scan.series) if scan.series else channels.read_subject(scan.images)
    except IsocenterError as error:
        return [Finding("unreadable", "warning", f"{scan.id} is left out: {error}")], None
    count = channels.channels_of(image)
    # Without a description a fourth axis may as well be time.
    if count > channels.MOST or (len(image.shape) != 3 and not scan.further and count != max(named, 1)):
        return [Finding("not-3d", "warning", f"{scan.id} is left out: it is {image.shape}, not one volume.")], None
    found, facts = look_at(scan.id, image)
    low, high = facts.values
    if low == high:
        return [Finding("constant", "warning", f"{scan.id} is left out: all its voxels are {low:g}.")], None
    return found, facts
