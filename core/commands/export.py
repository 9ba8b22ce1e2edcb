"""`isocenter export`: a segmentation as DICOM SEG, as surfaces, or in another format of label maps."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands.console import Progress, answer, answer_json
from core.errors import IsocenterError

# By format the suffixes that choose it; the first is given to a name without one.
FORMATS = {
    "seg": (".dcm",), "stl": (".stl",), "obj": (".obj",), "ply": (".ply",), "nrrd": (".nrrd",), "mha": (".mha",),
    "nii": (".nii.gz", ".nii"),
}  # fmt: skip
SURFACES = ("stl", "obj", "ply")


def add(commands: Any) -> None:
    parser = commands.add_parser("export", help="a segmentation as DICOM SEG, surfaces, NRRD, MetaImage or NIfTI")
    parser.add_argument("seg", type=Path, metavar="SEG", help="a label map, such as SCAN_seg.nii.gz")
    parser.add_argument("out", type=Path, metavar="OUT", help="a file; its ending chooses the format")
    parser.add_argument(
        "--scan", type=Path, help="the scan under it, which DICOM SEG needs; known for a prediction of the catalog"
    )
    parser.add_argument("--series", metavar="UID", help="of a DICOM folder, the series that SEG lies on")
    parser.add_argument("--format", choices=FORMATS, help="where OUT's ending does not say")
    parser.add_argument(
        "--name", action="append", default=[], metavar="LABEL=NAME", help="what a label is, such as 1=Liver"
    )
    parser.add_argument("--separate", action="store_true", help="surfaces: one file for each structure")
    parser.add_argument(
        "--space", choices=("RAS", "LPS"), default="RAS", help="surfaces: the directions of x and y (RAS)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core.export.labelled import check_same_grid, read_labelled
    from core.imaging.reader import read

    kind, out = _format(args.out, args.format)
    names = _names(args.name)
    _refuse_overwriting(out, args.seg, args.scan)
    with Progress() as progress:
        control = progress.control()
        labelled, made = read_labelled(args.seg, names, control)
        known = made.scan if made is not None and made.scan.exists() else None
        place = args.scan or (known if kind == "seg" else None)
        scan = None
        if place is not None:
            series = args.series or (made.series if made is not None and place == made.scan else None)
            scan = read(place, control, series=series or None)
            check_same_grid(labelled, scan)
        if kind == "seg":
            from core.export.seg import write_seg

            if scan is None:
                raise IsocenterError(
                    "a DICOM segmentation needs the DICOM series it belongs to", where=args.seg,
                    mend="Name it with --scan.",
                )  # fmt: skip
            write_seg(out, labelled, scan, control)
            written = [out]
        elif kind in SURFACES:
            from core.export.surfaces import write_surfaces

            written = write_surfaces(out, labelled, separate=args.separate, space=args.space, control=control)
        else:
            from core.imaging.writer import write_segmentation

            like = scan if scan is not None else read(args.seg, control)
            write_segmentation(out, labelled.labels, like, description=labelled.made_by, control=control)
            written = [out]
    structures = [{"label": value, "name": labelled.name_of(value)} for value in labelled.present()]
    if args.json:
        answer_json({"segmentation": str(args.seg), "format": kind, "outputs": [str(path) for path in written],
                     "structures": structures, "model": labelled.model, "model_version": labelled.version})  # fmt: skip
    else:
        for path in written:
            answer(f"{args.seg} -> {path}")
    return 0


def _format(out: Path, asked: str | None) -> tuple[str, Path]:
    """The format and the file's whole name."""
    name = out.name.lower()
    said = next((kind for kind, suffixes in FORMATS.items() if name.endswith(suffixes)), None)
    if asked is None:
        if said is None:
            endings = ", ".join(suffixes[0] for suffixes in FORMATS.values())
            raise IsocenterError("the name does not say the format", where=out, mend=f"End it with one of {endings}.")
        return said, out
    if said not in (None, asked):
        raise IsocenterError(f"the name does not fit --format {asked}", where=out, mend="Change one of the two.")
    return asked, out if said else out.with_name(out.name + FORMATS[asked][0])


def _names(given: list[str]) -> dict[int, str]:
    names = {}
    for text in given:
        label, equals, name = text.partition("=")
        if not (equals and label.strip().isdigit() and name.strip()):
            raise IsocenterError(f"--name {text}: not understood", mend="Write it as LABEL=NAME, such as 1=Liver.")
        names[int(label)] = name.strip()
    return names


def _refuse_overwriting(out: Path, *sources: Path | None) -> None:
    for source in sources:
        if source is not None and source.exists() and out.exists() and out.samefile(source):
            raise IsocenterError("the result would overwrite what it is made of", where=out, mend="Give another name.")
