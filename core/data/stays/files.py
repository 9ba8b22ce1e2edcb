"""Files of stays: those of a folder or an archive, each a table of one stay or of many, read into events.

A file is long (one measurement a row: time, variable, value) or wide (one time a row, a column a variable).
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from core.archives import opened_tar, opened_zip
from core.control import JobControl
from core.data.stays.series import Stays, joined, sorted_stays
from core.errors import DatasetError
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

TEXTS = (".txt", ".csv", ".tsv", ".psv")
TABLES = (*TEXTS, ".parquet")
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
MOST_FILES = 500_000
MOST_FILE_BYTES = 4 * 2**30
MOST_BYTES = 16 * 2**30  # of an archive, unpacked
MOST_SHRUNK, SURELY_READ = 100, 2**26  # an archive that unpacks to more than so many times its size is no data
MOST_HOURS = 1_000_000  # more than a life: a time that is written in another way
MOST_VARIABLES = 2_000
MOST_LIST_BYTES = 64 * 2**20  # of a .zip: its names
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError,
            ValueError, OverflowError)  # fmt: skip
PHYSIONET = b"Time,Parameter,Value"

STAY = ("stay", "stay_id", "stayid", "icustay_id", "recordid", "record_id", "record", "encounter", "encounter_id",
        "patientunitstayid", "hadm_id", "admission", "admission_id", "patient", "patient_id", "subject", "subject_id",
        "case", "case_id", "id")  # fmt: skip
TIME = ("time", "hours", "hour", "hr_since_admission", "t", "charttime", "timestamp", "datetime", "minutes", "minute",
        "offset", "iculos")  # fmt: skip
VARIABLE = ("variable", "parameter", "feature", "item", "itemid", "concept", "measurement", "name", "label", "test")
VALUE = ("value", "valuenum", "val", "result", "valuenumeric")


@dataclass(frozen=True)
class File:
    """A file of a folder or an archive. source: the archive's or the folder's name, without endings."""

    name: str
    source: str
    content: bytes

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).name.partition(".")[0]


def source_name(path: Path) -> str:
    """
    >>> source_name(Path("data/set-a_train.tar.gz"))
    'set-a_train'
    """
    return path.name.partition(".")[0]


def is_outcomes(name: str) -> bool:
    """Whether a file is, by its name, a table of outcomes rather than of measurements."""
    return bool(re.match(r"(outcome|label|target)s?([^a-z]|$)", PurePosixPath(name).name.lower()))


def is_stays(path: Path) -> bool:
    """Whether a file's name is that of stays: a table or an archive."""
    return path.name.lower().endswith((*TABLES, *ARCHIVES))


def files_of(path: Path, control: JobControl) -> Iterator[File]:
    """The tables of a file, folder or archive. Raises DatasetError where it is none, damaged or too large."""
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".") and is_stays(p))
        if len(found) > MOST_FILES:
            raise DatasetError(f"more than {MOST_FILES:,} files", where=path, mend="Choose a folder with stays only.")
        for file in found:
            if not is_outcomes(file.name) and file.name != "PROVENANCE.md":
                yield from _one(file, source_name(file.parent), control)
    elif path.is_file():
        yield from _one(path, source_name(path), control)
    else:
        raise DatasetError("there is no such file or folder", where=path)


def _one(path: Path, source: str, control: JobControl) -> Iterator[File]:
    name = path.name.lower()
    control.check()
    try:
        if name.endswith(".zip"):
            yield from _unzipped(path, control)
        elif name.endswith(ARCHIVES):
            yield from _untarred(path, control)
        elif name.endswith(TABLES):
            if path.stat().st_size > MOST_FILE_BYTES:
                raise DatasetError("the file is too large", where=path, mend="Split it into several.")
            yield File(path.name, source, path.read_bytes())
        else:
            raise DatasetError(
                "this is no file of stays", where=path,
                mend=f"Give a folder, or a file that ends with one of {', '.join((*TABLES, *ARCHIVES))}.",
            )  # fmt: skip
    except _DAMAGED as error:
        raise DatasetError(f"not readable ({str(error)[:200] or type(error).__name__})", where=path) from None


def _wanted(name: str) -> bool:
    return name.lower().endswith(TABLES) and not PurePosixPath(name).name.startswith(".") and not is_outcomes(name)


def _untarred(path: Path, control: JobControl) -> Iterator[File]:
    total = count = 0
    with opened_tar(path) as members:
        for member, content in members:
            control.check()
            total, count = total + member.size, count + 1  # what is passed over is unpacked too
            _limit(path, total, count, member.size)
            if member.isfile() and _wanted(member.name):
                yield File(member.name, source_name(path), content(member))


def _unzipped(path: Path, control: JobControl) -> Iterator[File]:
    total = count = 0
    with opened_zip(path, MOST_LIST_BYTES) as archive:
        for info in archive.infolist():
            control.check()
            if info.is_dir() or not _wanted(info.filename):
                continue
            total, count = total + info.file_size, count + 1
            _limit(path, total, count, info.file_size)
            with archive.open(info) as file:
                yield File(info.filename, source_name(path), file.read(info.file_size))


def _limit(path: Path, total: int, count: int, size: int) -> None:
    shrunk = total > max(MOST_SHRUNK * path.stat().st_size, SURELY_READ)
    if total > MOST_BYTES or size > MOST_FILE_BYTES or count > MOST_FILES or shrunk:
        raise DatasetError("the archive unpacks to more than can be read", where=path, mend="Split it into several.")


def read_files(path: Path, control: JobControl) -> Stays:
    """All measurements of a file, folder or archive; broken files are findings. Raises DatasetError where none is."""
    short: dict[str, list[File]] = defaultdict(list)  # PhysioNet's, of each source: small files read as one
    parts: list[Stays] = []
    broken: list[tuple[str, str]] = []
    for number, file in enumerate(files_of(path, control)):
        if number % 200 == 0:
            control.progress(None, f"Reading {path.name}: {number:,} files")
        if file.content[: len(PHYSIONET)] == PHYSIONET:
            short[file.source].append(file)
            continue
        try:
            parts.append(_table(file))
        except DatasetError as error:
            broken.append((file.name, error.what))
    for files in short.values():
        control.check()
        found, bad = _short_files(files)
        parts += found
        broken += bad
    if not parts:
        why = f" ({broken[0][0]}: {broken[0][1]})" if broken else ""
        raise DatasetError(f"no file of stays is there{why}", where=path)
    stays = joined(parts)
    findings = list(stays.findings)
    if broken:
        what = f"{len(broken):,} files are not readable, such as {broken[0][0]} ({broken[0][1]}); they are left out."
        findings.append(Finding("broken-files", "warning", what))
    return Stays(**{**vars(stays), "findings": tuple(findings)})


def _short_files(files: Sequence[File]) -> tuple[list[Stays], list[tuple[str, str]]]:
    """Files with one stay each and equal headers, read as one table; and which are broken, with why."""
    whole, broken = [], []
    for file in files:
        body = _body(file)
        if body.count(b",") == 2 * (body.count(b"\n") + 1) or not body:
            whole.append(file)
        else:
            broken.append((file.name, "a line has not three values"))
    return ([_as_one(whole)] if whole else []), broken


def _body(file: File) -> bytes:
    return file.content.replace(b"\r\n", b"\n").partition(b"\n")[2].strip(b"\n\0 ")


def _as_one(files: Sequence[File]) -> Stays:
    import pandas as pd

    bodies, rows = [], []
    for file in files:
        body = _body(file)
        bodies.append(body + b"\n" if body else b"")
        rows.append(body.count(b"\n") + 1 if body else 0)
    stay = np.repeat(np.arange(len(files)), rows)
    if not len(stay):
        none = np.zeros(0, np.int64)
        return sorted_stays([f.stem for f in files], [f.source for f in files], [], none, none, none, none)
    try:
        frame = pd.read_csv(
            io.BytesIO(b"".join(bodies)), header=None, names=["time", "variable", "value"], dtype=str,
            keep_default_na=False, skip_blank_lines=False, encoding="utf-8", encoding_errors="replace",
        )  # fmt: skip
    except (pd.errors.ParserError, ValueError) as error:
        raise DatasetError(str(error).strip().splitlines()[-1][:200]) from None
    if len(frame) != len(stay):
        raise DatasetError("a line is broken")
    return _events(
        [file.stem for file in files], [file.source for file in files], stay, _hours(frame["time"], "time"),
        frame["variable"], pd.to_numeric(frame["value"], errors="coerce"),
    )  # fmt: skip


def _table(file: File) -> Stays:
    """A long or wide table of one stay (named by the file) or many. Raises DatasetError."""
    frame = _frame(file)
    lower = {str(name).strip().lower().replace(" ", "_"): name for name in reversed(list(frame.columns))}
    stay, time = _first(lower, STAY), _first(lower, TIME)
    variable, value = _first(lower, VARIABLE), _first(lower, VALUE)
    if time is None:
        raise DatasetError("there is no column of times")
    names = frame[stay].astype(str).str.strip() if stay is not None else None
    ids = [file.stem] if names is None else list(dict.fromkeys(names))
    place = {name: n for n, name in enumerate(ids)}
    number = np.zeros(len(frame), np.int64) if names is None else names.map(place).to_numpy(np.int64)
    hours = _hours(frame[time], time, number)
    import pandas as pd

    sources = [file.source] * len(ids)
    if variable is not None and value is not None:
        values = pd.to_numeric(frame[value], errors="coerce")
        return _events(ids, sources, number, hours, frame[variable].astype(str), values)
    columns = [name for name in frame.columns if name not in (stay, time)]
    if len(columns) > MOST_VARIABLES:
        raise DatasetError(f"more than {MOST_VARIABLES:,} variables")
    numbers = {str(name).strip(): pd.to_numeric(frame[name], errors="coerce").to_numpy(float) for name in columns}
    words = [name for name, of in numbers.items() if np.isnan(of).all() and len(of)]
    told = [Finding("no-numbers", "info", f"{name} holds no numbers; it is not used.") for name in words[:20]]
    numbers = {name: of for name, of in numbers.items() if name not in words}
    if not numbers:
        raise DatasetError("there is no column of numbers beside the times")
    table = np.stack(list(numbers.values()), axis=1)
    row, column = np.nonzero(np.isfinite(table) & np.isfinite(hours)[:, None])
    return sorted_stays(ids, sources, list(numbers), number[row], hours[row], column, table[row, column], told)


def _frame(file: File) -> Any:
    import pandas as pd

    try:
        if file.name.lower().endswith(".parquet"):
            frame = pd.read_parquet(io.BytesIO(file.content))
        else:
            head = file.content[:100_000].partition(b"\n")[0].decode("utf-8-sig", "replace")
            delimiter = max(",;\t|", key=head.count)
            frame = pd.read_csv(
                io.BytesIO(file.content), sep=delimiter, dtype=str, encoding="utf-8-sig", encoding_errors="replace"
            )
    except Exception as error:  # pandas and pyarrow raise many types for a damaged file
        raise DatasetError(f"not readable as a table ({str(error).strip().splitlines()[0][:200]})") from None
    if frame.empty:
        raise DatasetError("there are no rows")
    return frame


def _first(lower: dict[str, Any], wanted: Sequence[str]) -> Any:
    return next((lower[name] for name in wanted if name in lower), None)


def _hours(column: Any, name: str, stay: Array | None = None) -> Array:
    """Hours from "HH:MM", numbers (hours, or minutes where the column says so) or dates (since the stay's first)."""
    import pandas as pd

    codes, found_cells = pd.factorize(column.astype(str))
    unique = np.asarray(found_cells, dtype=str)
    hours = np.full(len(unique), np.nan)
    clock = [re.fullmatch(r"(-?)(\d{1,5}):(\d\d)(?::(\d\d))?", text.strip()) for text in unique]
    for n, match in enumerate(clock):
        if match:
            sign, h, m, s = match.groups()
            hours[n] = (int(h) + int(m) / 60 + int(s or 0) / 3600) * (-1 if sign else 1)
    plain = np.isnan(hours)
    numbers = pd.to_numeric(pd.Series(unique[plain]), errors="coerce").to_numpy(float)
    hours[plain] = numbers / 60 if str(name).lower().startswith("minute") else numbers
    found: Array = np.append(hours, np.nan)[codes]  # an empty cell has the code -1
    if stay is not None and np.isnan(found).all():
        dates = pd.to_datetime(pd.Series(unique), errors="coerce", utc=True, format="ISO8601")
        seconds = ((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(hours=1)).to_numpy(float)
        seconds = np.append(seconds, np.nan)[codes]
        first = np.full(int(stay.max()) + 1, np.inf)
        np.fmin.at(first, stay, seconds)
        found = seconds - first[stay]
    return np.where(np.abs(found) <= MOST_HOURS, found, np.nan)


def _events(ids: Sequence[str], sources: Sequence[str], stay: Array, hours: Array, names: Any, values: Any) -> Stays:
    import pandas as pd

    codes, variables = pd.factorize(names.str.strip())
    value = values.to_numpy(float)
    findings = []
    nameless = np.array([name in ("", "nan", "None") for name in variables], bool)[codes]
    if nameless.any():
        what = f"{int(nameless.sum()):,} measurements have no name; they are left out."
        findings.append(Finding("no-variable", "warning", what))
    timeless = ~np.isfinite(hours)
    if timeless.any():
        what = f"{int(timeless.sum()):,} measurements have no readable time; they are left out."
        findings.append(Finding("no-time", "warning", what))
    wrong = ~np.isfinite(value) & ~nameless
    if wrong.any():
        what = f"{int(wrong.sum()):,} values are no numbers; they are left out."
        findings.append(Finding("no-number", "warning", what))
    if len(variables) > MOST_VARIABLES:
        raise DatasetError(f"more than {MOST_VARIABLES:,} variables")
    if back := _out_of_order(stay, hours, codes, len(variables)):
        what = f"{back:,} measurements stand after later ones of the same variable; all are put in order of time."
        findings.append(Finding("out-of-order", "info", what))
    kept = ~(nameless | timeless | wrong)
    used, codes = np.unique(codes[kept], return_inverse=True)
    named = [str(variables[code]) for code in used]
    return sorted_stays(ids, sources, named, stay[kept], hours[kept], codes, value[kept], findings)


def _out_of_order(stay: Array, hours: Array, codes: Array, variables: int) -> int:
    """How many measurements come before the one that stands above them, of the same stay and variable."""
    key = stay.astype(np.int64) * max(variables, 1) + codes
    order = np.argsort(key, kind="stable")
    key, hours = key[order], hours[order]
    return int(((key[1:] == key[:-1]) & (hours[1:] < hours[:-1])).sum())
