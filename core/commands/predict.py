"""`isocenter predict`: scans in, label maps and measurements out."""

from __future__ import annotations

import logging
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands import by_kind
from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import Cancelled, IsocenterError
from core.imaging.titles import stem_of
from core.inference.sides import asymmetries

if TYPE_CHECKING:
    from core.inference.cases import Case
    from core.inference.mirroring import Mirror
    from core.inference.predictor import PredictionResult

log = logging.getLogger(__name__)

ALWAYS: dict[str, bool | None] = {"auto": None, "always": True, "never": False}
MIRROR: dict[str, Mirror] = {**ALWAYS, "structures": "structures"}


def add(commands: Any) -> None:
    parser = commands.add_parser("predict", help="predict scans, or a folder of them, with a model")
    parser.add_argument(
        "scans", nargs="*", type=Path, metavar="SCAN",
        help="NIfTI, NRRD or MetaImage file, DICOM file or folder, or a folder of scans, which is walked;"
        " for a model of several images of a subject, these in its order, or CASE_0000, CASE_0001, ..., or one 4D file;"
        " for other models what they were trained on: a table, a subject's scans, a stay",
    )  # fmt: skip
    parser.add_argument("--model", required=True, help="name, name-version, or folder of a model package")
    parser.add_argument(
        "--out", required=True, type=Path,
        help="folder for the segmentations (SCAN_seg.nii.gz), and of several scans for volumes.csv",
    )  # fmt: skip
    parser.add_argument("--series", metavar="UID", help="of a DICOM folder, the series to predict")
    parser.add_argument("--time", type=int, metavar="N", help="of a scan of several volumes, which one: 1, 2, ...")
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="write SCAN_uncertainty.nii.gz too: 1 - the probability of the label of each voxel",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--mirror", nargs="?", const="always", default="auto", choices=tuple(MIRROR),
        help="average over mirrorings of the scan, 2, 4 or 8 times the time by the model's axes; auto: small scans;"
        " structures: small scans, and of others a few mirrorings where the structures are, at most twice the time",
    )  # fmt: skip
    parser.add_argument(
        "--roi", default="auto", choices=tuple(ALWAYS),
        help="of a scan of many windows, look at all of it coarsely first (about 1/8 of the time), then closely only"
        " around what was seen; auto: where the training's smallest structure cannot be overlooked so",
    )  # fmt: skip
    parser.add_argument(
        "--members", type=int, metavar="N", help="of an ensemble, only the first N networks: N times the time of one"
    )
    parser.add_argument(
        "--explain", action="store_true", help="of tables, risks and stays: what speaks for the answer, and against it"
    )
    subject = parser.add_argument_group("one subject's parts, for a model of risk from MRI, PET and clinical values")
    subject.add_argument("--mri", type=Path, metavar="SCAN")
    subject.add_argument("--pet", type=Path, metavar="SCAN")
    subject.add_argument("--clinical", type=Path, metavar="TABLE", help="one row of values, or JSON or YAML")
    subject.add_argument(
        "--report", type=Path, metavar="FILE.pdf", help="a report of the subject's answer, with what it rests on"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="skip what OUT holds already of unchanged scans; a walked folder does so"
    )
    again.add_argument(
        "--overwrite", action="store_true", help="predict all anew, also over label maps that someone corrected"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.inference import cost
    from core.inference.kinds import find_model, kind_of_package
    from core.inference.ledger import TABLE, Ledger, settings_of
    from core.inference.package import find_package

    found = find_model(args.model)
    if (kind := kind_of_package(found)) is not None:
        return by_kind.predict(args, kind, found)
    if args.report is not None:
        raise IsocenterError(by_kind.NO_REPORT, where=args.model, mend=by_kind.WITHOUT_REPORT)
    if not args.scans:
        raise IsocenterError("no scan is given", mend="Give a file or folder after `predict`.")
    package = find_package(args.model)
    if args.members is not None:
        package = package.first(args.members)
    if told := cost.sentence(package, MIRROR[args.mirror]):
        say(told)
    if args.series and len(args.scans) > 1:
        raise IsocenterError("--series names one series of one folder", mend="Give one SCAN with it.")
    cases, walked = _cases(args, package.plan.channels)
    batch = walked or args.resume or len(cases) > 1
    settings = settings_of(MIRROR[args.mirror], args.members, args.uncertainty, ALWAYS[args.roi])
    if args.time is not None:
        settings["time"] = args.time
    ledger = Ledger(args.out, package, settings) if batch else None
    resume = (walked or args.resume) and not args.overwrite
    results: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    skipped = 0
    for number, case in enumerate(cases):
        known = ledger.finished(case) if ledger is not None and resume else None
        if known is not None:
            results.append({**known, "skipped": True})
            skipped += 1
            continue
        ended = _predict(case, package, args, number / len(cases), 1 / len(cases), len(cases))
        if ledger is not None:
            ledger.add(case, ended)
        if isinstance(ended, IsocenterError):
            # One bad scan does not keep the others from their answer.
            say(f"isocenter: {ended}")
            failed.append({"scan": str(case.scan), "what": ended.what, "where": ended.where, "mend": ended.mend})
        else:
            results.append(ended.as_dict())
            if not args.json:
                _show(ended)
    if skipped:
        say(f"{skipped} of {len(cases)} were finished before and skipped; --overwrite predicts them anew.")
    if args.json:
        more: dict[str, Any] = {"failed": failed} if failed else {}
        answer_json({"predictions": results, **more, **({"table": str(args.out / TABLE)} if batch else {})})
    elif batch:
        answer(f"{len(results)} of {len(cases)} predicted: {args.out / TABLE}")
    return 2 if failed else 0


def _cases(args: Namespace, channels: int) -> tuple[list[Case], bool]:
    """The scans, or subjects of several channels, and whether a folder of them was walked."""
    from core.inference.cases import find_cases, is_one_scan, of_subject, single, subjects

    if args.series or all(is_one_scan(path) for path in args.scans):
        if channels > 1:
            one = of_subject(args.scans, channels)
            return subjects([single(path) for path in args.scans], channels) if one is None else [one], False
        _refuse_equal_names(args.scans)
        return [single(path) for path in args.scans], False
    with Progress() as progress:
        cases = []
        for path in args.scans:
            if is_one_scan(path):
                cases.append(single(path))
                continue
            found = find_cases([path], progress.control(), args.out)
            cases += found.cases
            for title in found.left_out:
                progress.end()
                say(f"left out, as it is no volume: {title}")
    if not cases:
        raise IsocenterError(
            "there is no scan in it", where=args.scans[0], mend="Give NIfTI, NRRD or MetaImage files, or DICOM folders."
        )
    return (subjects(cases, channels) if channels > 1 else cases), True


def _predict(
    case: Case, package: Any, args: Namespace, start: float, share: float, count: int
) -> PredictionResult | IsocenterError:
    """The result of a case, or why there is none."""
    from core.inference.predictor import predict_file

    with Progress() as progress:
        control = progress.control()
        if count > 1:
            at = round(start / share) + 1
            control = control.part(start, start + share).saying(f"{at} of {count}: {case.title}")
        try:
            return predict_file(
                case.scan, package, args.out / case.folder, further=case.further,
                series=args.series or case.series or None, name=case.name, device=args.device,
                mirror=MIRROR[args.mirror], roi=ALWAYS[args.roi], uncertainty=args.uncertainty,
                time_point=None if args.time is None else args.time - 1, overwrite=args.overwrite, control=control,
            )  # fmt: skip
        except Cancelled:
            raise
        except IsocenterError as error:
            return error
        except MemoryError:
            if count == 1:
                raise
            return IsocenterError("there is not enough memory for this scan", where=case.scan, mend="Crop the scan.")
        except Exception as error:
            if count == 1:
                raise
            log.exception("%s", case.scan)
            return IsocenterError(f"unexpected {type(error).__name__}: {error}", where=case.scan)


def _show(result: PredictionResult) -> None:
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
        from core.inference.confidence import CODE

        known = any(finding["code"] == CODE for finding in result.findings)
        answer(f"Uncertainty: {result.uncertainty} (1 - probability, {'' if known else 'not '}calibrated)")


def _refuse_equal_names(scans: list[Path]) -> None:
    """Results are named by their scans, so two of one name would overwrite each other."""
    seen: dict[str, Path] = {}
    for scan in scans:
        name = stem_of(scan.absolute()).lower()
        if name in seen:
            what = f"{scan} and {seen[name]} would be written to the same file"
            raise IsocenterError(what, mend="Predict them into different folders.")
        seen[name] = scan
