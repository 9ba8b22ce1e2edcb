"""`isocenter info`: a scan's geometry, type and what was found in it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json


def add(commands: Any) -> None:
    parser = commands.add_parser("info", help="geometry, header and checks of a scan")
    parser.add_argument("scan", type=Path, metavar="SCAN")
    parser.add_argument("--series", metavar="UID", help="of a DICOM folder, the series to look at")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.imaging.info import describe
    from core.imaging.reader import read

    with Progress() as progress:
        volume = read(args.scan, progress.control(), series=args.series)
        facts = describe(volume)
        if any(finding.code == "several_series" for finding in volume.findings):
            facts["other_series"] = _others(args.scan, facts["series"])
    if args.json:
        answer_json(facts)
        return 0
    for key, value in facts.items():
        if key not in ("affine_ras", "findings", "other_series") and value not in ("", None):
            shown = " x ".join(f"{v:g}" for v in value) if key in ("shape", "spacing_mm") else value
            answer(f"{key + ':':18}{shown}")
    for row in facts["affine_ras"]:
        answer("  " + "  ".join(f"{value:10.4f}" for value in row))
    for finding in facts["findings"]:
        answer(f"{finding['severity']}: {finding['message']}")
    for other in facts.get("other_series", ()):
        answer(f"also: --series {other['series']}  ({other['modality']}, {other['images']} images)")
    return 0


def _others(scan: Path, read: str) -> list[dict[str, Any]]:
    """The other series of the folder, without any free text of theirs."""
    from core.imaging.dicom import series_in

    found = series_in(scan if scan.is_dir() else scan.parent)
    return [{"series": s.uid, "modality": s.modality, "images": s.images} for s in found if s.uid != read]
