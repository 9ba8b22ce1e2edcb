"""`isocenter predict`: scans in, label maps and measurements out."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import IsocenterError
from core.imaging.titles import stem_of
from core.inference.sides import asymmetries

MIRRORING = {"auto": None, "always": True, "never": False}


def add(commands: Any) -> None:
    parser = commands.add_parser("predict", help="predict scans with a model")
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="NIfTI file, DICOM file or DICOM folder")
    parser.add_argument("--model", required=True, help="name, name-version, or folder of a model package")
    parser.add_argument("--out", required=True, type=Path, help="folder for the segmentations (SCAN_seg.nii.gz)")
    parser.add_argument("--series", metavar="UID", help="of a DICOM folder, the series to predict")
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="write SCAN_uncertainty.nii.gz too: 1 - the probability of the label of each voxel; it is not calibrated",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--mirror", nargs="?", const="always", default="auto", choices=tuple(MIRRORING),
        help="average over mirrorings of the scan, 2, 4 or 8 times the time by the model's axes; auto: small scans",
    )  # fmt: skip
    parser.add_argument(
        "--members", type=int, metavar="N", help="of an ensemble, only the first N networks: N times the time of one"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.inference import cost
    from core.inference.package import find_package
    from core.inference.predictor import PredictionResult, predict_file

    package = find_package(args.model)
    if args.members is not None:
        package = package.first(args.members)
    mirror = MIRRORING[args.mirror]
    if told := cost.sentence(package, mirror):
        say(told)
    _refuse_equal_names(args.scans)
    if args.series and len(args.scans) > 1:
        raise IsocenterError("--series names one series of one folder", mend="Give one SCAN with it.")
    done: list[PredictionResult] = []
    failed: list[dict[str, Any]] = []
    for scan in args.scans:
        with Progress() as progress:
            try:
                control = progress.control()
                done.append(
                    predict_file(
                        scan,
                        package,
                        args.out,
                        series=args.series,
                        device=args.device,
                        mirror=mirror,
                        uncertainty=args.uncertainty,
                        control=control,
                    )
                )
            except IsocenterError as error:
                # One bad scan does not keep the others from their answer.
                progress.end()
                say(f"isocenter: {error}")
                failed.append({"scan": str(scan), "what": error.what, "where": error.where, "mend": error.mend})
    if args.json:
        more = {"failed": failed} if failed else {}
        answer_json({"predictions": [result.as_dict() for result in done], **more})
    else:
        for result in done:
            _show(result)
    return 2 if failed else 0


def _show(result: Any) -> None:
    for finding in result.findings:  # before the answer, which they may make worthless
        if finding["severity"] != "info":
            say(f"{finding['severity']}: {finding['message']}")
    answer(f"{result.scan} -> {result.output}  ({result.model} {result.model_version}, {result.seconds:.1f} s)")
    rows = [
        (s["label"], s["name"], f"{s['volume_ml']:.2f}", "" if s["confidence"] is None else f"{s['confidence']:.2f}")
        for s in result.structures
    ]
    answer(table(rows, ("label", "structure", "mL", "confidence")))
    if sided := ", ".join(f"{one.name} {one.text}" for one in asymmetries(result.structures)):
        answer(f"asymmetry (L - R) / mean: {sided}")
    if result.uncertainty is not None:
        answer(f"Uncertainty: {result.uncertainty} (1 - probability, not calibrated)")


def _refuse_equal_names(scans: list[Path]) -> None:
    """Results are named by their scans, so two of one name would overwrite each other."""
    seen: dict[str, Path] = {}
    for scan in scans:
        name = stem_of(scan.absolute()).lower()
        if name in seen:
            what = f"{scan} and {seen[name]} would be written to the same file"
            raise IsocenterError(what, mend="Predict them into different folders.")
        seen[name] = scan
