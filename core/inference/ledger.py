"""What became of each case of a batch, kept in its folder of results.

predictions.jsonl   a line per case as it ends, so that a second start knows what is finished
volumes.csv         the same as a table: a row per case, whole after each of them
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import __version__
from core.errors import IsocenterError
from core.files import sha256, write_text
from core.imaging.titles import is_volume_name, stem_of
from core.inference.cases import LEDGER, Case
from core.inference.mirroring import Mirror
from core.inference.package import ModelPackage
from core.inference.predictor import PredictionResult
from core.inference.sides import asymmetries

TABLE = "volumes.csv"
Row = dict[str, Any]


def settings_of(
    mirror: Mirror, members: int | None, uncertainty: bool, roi: bool | None = None
) -> dict[str, Any]:  # fmt: skip
    """What a prediction depends on beside its scan and model, as a ledger takes it."""
    settings = {"mirror": mirror, "members": members, "uncertainty": uncertainty}
    return settings if roi is None else {**settings, "roi": roi}


class Ledger:
    """The rows of a folder of results, for one model; `finished` and `add` are asked in turn for each case.

    settings: plain values of JSON; a case that was predicted with others is not finished.
    """

    def __init__(self, out: Path, package: ModelPackage, settings: Mapping[str, Any]) -> None:
        self._out = out
        manifest = package.manifest
        self._model = {
            "program": __version__, "model": manifest.name, "model_version": manifest.version,
            "weights": [manifest.sha256, *(member.sha256 for member in manifest.members or ())],
            "settings": dict(settings),
        }  # fmt: skip
        self._rows: dict[tuple[str, str], Row] = {}
        for row in _read(out / LEDGER):
            self._rows[row["scan"], row["series"]] = row

    def finished(self, case: Case) -> Row | None:
        """The result of a case that needs no second prediction, else None.

        It needs none if scan, model, settings and program are what they were, and its segmentation is as written.
        """
        row = self._rows.get(_key(case), {})
        result = row.get("result")
        if not isinstance(result, dict) or any(row.get(name) != value for name, value in self._model.items()):
            return None
        try:
            output = self._out / str(row["output"])
            same = row["state"] == fingerprint(case, self._out) and row["sha256"] == sha256(output)
        except (KeyError, OSError):
            return None
        return result if same else None

    def add(self, case: Case, ended: PredictionResult | IsocenterError) -> None:
        """Record how a case ended. Raises IsocenterError where the folder cannot be written."""
        scan, series = _key(case)
        row: Row = {"scan": scan, "series": series, **self._model, "state": fingerprint(case, self._out)}
        if isinstance(ended, PredictionResult):
            place = os.path.relpath(ended.output, self._out)
            row |= {"output": place, "sha256": sha256(ended.output), "result": ended.as_dict()}
        else:
            row["failed"] = {"what": ended.what, "where": ended.where, "mend": ended.mend}
        self._rows[scan, series] = row
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            _append(self._out / LEDGER, json.dumps(row, ensure_ascii=False))
        except OSError as error:
            raise IsocenterError(
                f"the results cannot be recorded ({error.strerror or error})", where=self._out,
                mend="Choose another folder, or free some space.",
            ) from error  # fmt: skip
        table = as_csv(list(self._rows.values()))
        write_text(self._out / TABLE, table.encode("utf-8", "backslashreplace").decode())  # not every name is Unicode


def fingerprint(case: Case, out: Path) -> str:
    """A hash of the names, sizes and times of the files behind a scan; those of results are none of them."""
    facts = []
    if case.scan.is_dir():
        for parent, folders, names in os.walk(case.scan):
            folders[:] = sorted(name for name in folders if Path(parent, name).absolute() != out.absolute())
            own = (name for name in sorted(names) if name not in (LEDGER, TABLE) and not is_volume_name(name))
            facts += [Path(parent, name) for name in own]
    for scan in (case.scan, *case.further):
        if scan.is_file():  # with the voxels that may lie beside a header
            start = f"{stem_of(scan)}."
            facts += [file for file in sorted(scan.parent.iterdir()) if file.name.startswith(start)]
    key = "".join(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}\n" for file in facts)
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def as_csv(rows: list[Row]) -> str:
    """A row per case: volumes in mL, confidences, asymmetries in percent, findings, seconds, and why one failed."""
    table: list[dict[str, Any]] = []
    measured: dict[str, None] = {}  # in the order in which structures first appear
    for row in rows:
        result = row.get("result") or {}
        failed = row.get("failed") or {}
        said = [failed[part] for part in ("what", "mend") if failed.get(part)]
        cells = {
            "scan": row["scan"], "series": row["series"], "output": row.get("output", ""), "model": row.get("model"),
            "version": row.get("model_version"), "state": "failed" if failed else "done",
            "reason": ". ".join(part[:1].upper() + part[1:] for part in said), "seconds": result.get("seconds", ""),
            "findings": " ".join(
                finding["message"] for finding in result.get("findings", []) if finding["severity"] != "info"
            ),
        }  # fmt: skip
        figures: dict[str, Any] = {}
        for structure in result.get("structures", []):
            figures[f"{structure['name']} mL"] = structure["volume_ml"]
            figures[f"{structure['name']} confidence"] = structure["confidence"]
        for one in asymmetries(result.get("structures", [])):
            figures[f"{one.name} asymmetry %"] = one.as_dict()["percent"]
        measured |= dict.fromkeys(figures)
        table.append(cells | figures)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*(_FIXED), *measured], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in cells.items()} for cells in table)
    return text.getvalue()


_FIXED = ("scan", "series", "output", "model", "version", "state", "reason", "seconds", "findings")


def _harmless(value: Any) -> Any:
    """A text that begins like a formula would be run by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value


def _key(case: Case) -> tuple[str, str]:
    return str(case.scan.absolute()), case.series


def _read(path: Path) -> list[Row]:
    """The rows of a ledger; a line that was cut off by a crash is left out."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("scan"), str) and isinstance(row.get("series"), str):
            rows.append(row)
    return rows


def _append(path: Path, line: str) -> None:
    with path.open("ab") as file:
        # What a crash cut off is ended first, so that this line stands by itself.
        file.write(
            (b"\n" if file.tell() and not _ends_well(path) else b"") + line.encode("utf-8", "backslashreplace") + b"\n"
        )
        file.flush()
        os.fsync(file.fileno())


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
