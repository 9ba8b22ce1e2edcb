"""The scans among files and folders, as cases that are predicted one after another."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.control import JobControl
from core.imaging.channels import numbered
from core.imaging.titles import file_title, is_volume_name, stem_of

if TYPE_CHECKING:
    from core.imaging.series import SeriesInfo

MOST = 5_000
LEAST_IMAGES = 8  # fewer are a scout, or pictures of something
RESULTS = ("_seg", "_uncertainty")  # end the names of results
LEDGER = "predictions.jsonl"  # stands in a folder of results


@dataclass(frozen=True)
class Case:
    """One scan to predict: `read(scan, series=series or None)` reads it.

    further: the files of a subject's other channels. folder, name: where its result goes below the results' folder,
    and what it is called, without `_seg.nii.gz`. title: for people.
    """

    scan: Path
    series: str
    folder: Path
    name: str
    title: str
    further: tuple[Path, ...] = ()


@dataclass(frozen=True)
class FoundCases:
    """The cases, and the titles of series that are no scans: screenshots, scouts, single pictures."""

    cases: list[Case]
    left_out: list[str]


def is_one_scan(path: Path) -> bool:
    """Whether a path stands for a single scan: a file, or a folder in which DICOM images lie and no other volumes."""
    from core.imaging.kind import is_dicom_file

    try:
        if not path.is_dir():
            return True
        files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    except OSError:
        return True  # reading it says what is wrong
    if any(is_volume_name(file.name) and not stem_of(file).endswith(RESULTS) for file in files):
        return False
    return any(is_dicom_file(file) for file in files)


def single(path: Path) -> Case:
    """The case of a path that is one scan; of several series the largest."""
    return Case(path, "", Path(), stem_of(path.absolute()), file_title(path.absolute()))


def cases_in(folder: Path, control: JobControl, out: Path | None = None) -> FoundCases:
    """Every volume file and every DICOM series in a folder and below it, in the order of their places.

    out: a folder of results, which is not looked into. Results beside their scans are left out too.
    """
    files: list[Case] = []
    series: dict[tuple[str, str], list[tuple[Path, SeriesInfo]]] = defaultdict(list)
    for parent, folders, names in os.walk(folder):
        control.progress(None, f"Looking for scans: {len(files) + len(series)} found")
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not _left_alone(here / name, out))
        below = here.relative_to(folder)
        stems = {stem_of(Path(name)) for name in names if is_volume_name(name)}
        for name in sorted(filter(is_volume_name, names)):
            stem = stem_of(Path(name))
            result = stem.endswith(RESULTS) and stem.rpartition("_")[0] in {*stems, here.absolute().name}
            if not result:
                files.append(Case(here / name, "", below, stem, file_title(here / name)))
        if any(not is_volume_name(name) for name in names):
            for info in _series_in(here, control):
                series[info.uid, "" if info.uid else parent].append((here, info))
        if len(files) + len(series) >= MOST:
            break
    found, left_out = _dicom_cases(folder, list(series.values()))
    return FoundCases(_told_apart(sorted([*files, *found], key=lambda case: (case.scan, case.name)))[:MOST], left_out)


def find_cases(paths: Iterable[Path], control: JobControl, out: Path | None = None) -> FoundCases:
    """The cases among files and folders: a file is one as it is, whatever it holds."""
    cases: list[Case] = []
    left_out: list[str] = []
    for path in paths:
        if path.is_dir():
            found = cases_in(path, control, out)
            cases += found.cases
            left_out += found.left_out
        else:
            cases.append(single(path))
    return FoundCases(_told_apart(cases)[:MOST], left_out)


def subjects(cases: Iterable[Case], count: int) -> list[Case]:
    """Cases whose files are named CASE_0000, CASE_0001, ... as one each, for a model of `count` channels.

    Where there is not one for each channel, the first alone stays, and predicting it says which are missing.
    """
    cases = list(cases)
    parts: dict[tuple[Path, str], dict[int, Case]] = defaultdict(dict)
    for case in cases:
        if not case.series and (part := numbered(stem_of(case.scan))) is not None:
            parts[case.scan.parent, part[0]][part[1]] = case
    found: list[Case] = []
    for case in cases:
        part = None if case.series else numbered(stem_of(case.scan))
        if part is None:
            found.append(case)
            continue
        channels = parts.pop((case.scan.parent, part[0]), None)
        if channels is None:
            continue  # one of those taken already
        numbers = sorted(channels)
        further = tuple(channels[n].scan for n in numbers[1:]) if numbers == list(range(count)) else ()
        found.append(replace(channels[numbers[0]], name=part[0], title=part[0], further=further))
    return found


def of_subject(paths: Sequence[Path], count: int) -> Case | None:
    """Files that are given by themselves, one for each channel in their order, as one subject; None for any others."""
    from core.imaging.channels import channels_of
    from core.imaging.reader import read

    if len(paths) != count or not all(path.is_file() for path in paths):
        return None
    parts = [numbered(stem_of(path)) for path in paths]
    names = {part[0] for part in parts if part is not None}
    if len(names) > 1 or (not names and channels_of(read(paths[0])) != 1):  # several subjects, or each with all in one
        return None
    return replace(single(paths[0]), name=next(iter(names), stem_of(paths[0])), further=tuple(paths[1:]))


def _series_in(folder: Path, control: JobControl) -> list[SeriesInfo]:
    """Of each series the part that is read where none is asked for: its largest, found again wherever the rest lies."""
    from core.imaging.dicom import series_in
    from core.imaging.split import series_of

    largest: dict[str, SeriesInfo] = {}
    for info in series_in(folder, control.silent(), deep=False):
        uid = series_of(info.uid)
        largest.setdefault(uid, replace(info, uid=uid, part=1, parts=1))
    return [largest[uid] for uid in sorted(largest)]


def _dicom_cases(root: Path, series: list[list[tuple[Path, SeriesInfo]]]) -> tuple[list[Case], list[str]]:
    """A case for each series that is a scan; one that is spread over folders is read from the folder above them."""
    scans: list[tuple[Path, SeriesInfo]] = []
    left_out: list[str] = []
    for parts in series:
        place, info = Path(os.path.commonpath([place for place, _ in parts])), parts[0][1]
        images = sum(part.images for _, part in parts)
        if info.placed and images >= LEAST_IMAGES and min(info.rows, info.columns) >= LEAST_IMAGES:
            scans.append((place, replace(info, images=images)))
        else:
            left_out.append(f"{place.name}: {replace(info, images=images).title}")
    cases = []
    for place, info in scans:
        alone = sum(other == place for other, _ in scans) == 1
        below = place.relative_to(root).parent
        name = place.absolute().name
        title = name if alone else f"{name}, {info.title}"
        name = name if alone else f"{name}_{info.number or 'series'}"
        cases.append(Case(place, info.uid, below, name, title))
    return cases, left_out


def _told_apart(cases: list[Case]) -> list[Case]:
    """Cases whose results would have the same place get numbers."""
    taken: set[tuple[Path, str]] = set()
    apart = []
    for case in cases:
        name, number = case.name, 2
        while (case.folder, name.lower()) in taken:
            name, number = f"{case.name}-{number}", number + 1
        taken.add((case.folder, name.lower()))
        apart.append(replace(case, name=name))
    return apart


def _left_alone(folder: Path, out: Path | None) -> bool:
    """Hidden folders, and those of results."""
    own = out is not None and folder.absolute() == out.absolute()
    return own or folder.name.startswith(".") or (folder / LEDGER).exists()
