"""Reading stays once: cleaned, and kept in a cache for the next time."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from pathlib import Path

import numpy as np

from core.control import JobControl
from core.data.stays.clean import cleaned, merged
from core.data.stays.files import is_stays, read_files
from core.data.stays.outcomes import outcome_files
from core.data.stays.series import Stays
from core.errors import DatasetError
from core.files import whole_file
from core.imaging.volume import Finding
from core.paths import ensure_home, home

FORMAT = 1
WORTH_KEEPING = 200  # stays: fewer are read again in no time


def read_stays(path: Path, control: JobControl | None = None) -> Stays:
    """The cleaned stays of a file, folder or archive, sorted by name. Raises DatasetError where there is none."""
    control = control or JobControl()
    path = Path(path).expanduser().absolute()
    if not path.exists():
        raise DatasetError("there is no such file or folder", where=path)
    kept = home() / "cache" / f"stays-{_key(path)}.npz"
    if (found := _load(kept)) is not None:
        return found
    stays = merged(cleaned(read_files(path, control)))
    if not len(stays):
        raise DatasetError("no stay is there", where=path)
    stays = stays.take(np.array(sorted(range(len(stays)), key=lambda n: (stays.sources[n], stays.ids[n]))))
    if len(stays) >= WORTH_KEEPING:
        _keep(kept, stays)
    return stays


def chosen(stays: Stays, patterns: list[str]) -> Stays:
    """The stays whose source (archive or folder) matches one of the patterns; all where there is no pattern.

    Data with a single source that no pattern knows are taken whole, as when a part was copied under another name.
    """
    if not patterns:
        return stays
    sources = sorted(set(stays.sources))
    wanted = {source for source in sources if any(fnmatch.fnmatchcase(source, pattern) for pattern in patterns)}
    if not wanted and len(sources) == 1:
        told = Finding("parts", "info", f"{sources[0]} matches none of {', '.join(patterns)}; it is taken as it is.")
        return Stays(**{**vars(stays), "findings": (*stays.findings, told)})
    if not wanted:
        raise DatasetError(
            f"no part of the data is called {' or '.join(patterns)}", mend=f"There are: {', '.join(sources[:20])}."
        )
    return stays.take(np.array([n for n, source in enumerate(stays.sources) if source in wanted], np.int64))


def _key(path: Path) -> str:
    """The files, as they are now."""
    files = sorted(p for p in path.rglob("*") if p.is_file() and is_stays(p)) if path.is_dir() else [path]
    outcomes = set(outcome_files(path)) if path.is_dir() else set()
    facts = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p not in outcomes]
    return hashlib.sha256(json.dumps([FORMAT, str(path), facts]).encode()).hexdigest()[:24]


def _keep(path: Path, stays: Stays) -> None:
    ensure_home()
    path.parent.mkdir(parents=True, exist_ok=True)
    findings = [finding.as_dict() for finding in stays.findings]
    told = json.dumps({"variables": stays.variables, "findings": findings, "ids": stays.ids, "sources": stays.sources})
    with whole_file(path) as file:
        np.savez(
            file, told=np.frombuffer(told.encode(), np.uint8), stay=stays.stay, hours=stays.hours,
            variable=stays.variable, value=stays.value,
        )  # fmt: skip


def _load(path: Path) -> Stays | None:
    """What was kept; None where nothing was, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            told = json.loads(kept["told"].tobytes())
            return Stays(
                told["ids"], told["sources"], told["variables"], kept["stay"], kept["hours"], kept["variable"],
                kept["value"], tuple(Finding(**finding) for finding in told["findings"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
