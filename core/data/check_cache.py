"""What the check of a data set read of each case, kept in the home folder: an unchanged case is not read twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.data.case import Case, CaseFacts, Scan
from core.errors import IsocenterError
from core.files import write_text
from core.imaging.volume import Finding
from core.paths import ensure_home, home

# Rises whenever the check looks at more than before: what was kept until then is read again.
VERSION = 2
_SIZE_LIMIT = 200_000_000


class CheckCache:
    """Findings and facts by case. A case is known while size and time of its files stay the same.

    kind: tells apart what several checks of one folder keep.

    Nothing here fails a check: what cannot be read or written is simply not kept.
    """

    def __init__(self, dataset: Path, kind: str = "") -> None:
        name = hashlib.sha256(f"{dataset.absolute()}{kind}".encode()).hexdigest()[:16]
        self.path = home() / "cache" / "checks" / f"{name}.json"
        self._kept = self._read()
        self._changed = False

    def get(self, case: Case | Scan) -> tuple[list[Finding], CaseFacts] | None:
        """What was kept of a case, if its files are still the ones that were checked."""
        kept = self._kept.get(case.id)
        try:
            if kept is None or kept["files"] != _identity(case):
                return None
            facts = kept["facts"]
            return [Finding(**finding) for finding in kept["findings"]], CaseFacts(
                shape=tuple(facts["shape"]),
                spacing_mm=tuple(facts["spacing_mm"]),
                voxels={int(value): int(count) for value, count in facts["voxels"].items()},
                content=str(facts["content"]),
                values=tuple(facts["values"]),
                foreground=tuple(facts["foreground"]),
                channels=int(facts["channels"]),
            )
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            return None

    def put(self, case: Case | Scan, findings: list[Finding], facts: CaseFacts) -> None:
        with contextlib.suppress(OSError):
            self._kept[case.id] = {
                "files": _identity(case), "findings": [asdict(finding) for finding in findings], "facts": asdict(facts)
            }  # fmt: skip
            self._changed = True

    def save(self) -> None:
        if not self._changed:
            return
        with contextlib.suppress(IsocenterError, OSError):
            ensure_home()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps({"version": VERSION, "cases": self._kept}))

    def _read(self) -> dict[str, Any]:
        try:
            if self.path.stat().st_size > _SIZE_LIMIT:
                return {}
            content = json.loads(self.path.read_text(encoding="utf-8"))
            cases = content["cases"] if content["version"] == VERSION else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return cases if isinstance(cases, dict) else {}


def _identity(case: Case | Scan) -> list[Any]:
    """Names, sizes and times of a case's files."""
    files = [file for file in (*case.images, case.label) if file is not None]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
