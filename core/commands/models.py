"""`isocenter models`: the model packages here, and the networks that can be trained."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from core.commands import networks
from core.commands.console import Progress, answer, answer_json, say, table
from core.errors import ModelError


def add(commands: Any) -> None:
    parser = commands.add_parser("models", help="list, show, import, export and publish models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the models that can predict")
    listing.add_argument("--networks", action="store_true", help="the networks that can be trained, instead")
    showing = actions.add_parser("show", help="a model's card, or what a network costs")
    showing.add_argument("model", metavar="MODEL", help="a model, or the name of a network or a preset")
    importing = actions.add_parser(
        "import", help="take in a model from a .zip or a folder: a package, an nnU-Net v2 model or a MONAI bundle"
    )
    importing.add_argument("path", type=Path, metavar="PATH")
    importing.add_argument("--name", help="the model's name here, for models of other programs")
    importing.add_argument("--fold", help="of an nnU-Net model: 0 to 4, or all; every fold as one ensemble without it")
    importing.add_argument(
        "--orientation", metavar="CODES",
        help="of an nnU-Net model: how its training images were stored, such as RAS; scans are turned so",
    )  # fmt: skip
    exporting = actions.add_parser("export", help="write a model as a .zip")
    exporting.add_argument("model", metavar="MODEL")
    exporting.add_argument("out", type=Path, metavar="OUT", help="file or folder")
    publishing = actions.add_parser("publish", help="make a model of a run, or an ensemble of a cross-validation")
    publishing.add_argument("run_name", metavar="RUN_OR_GROUP", help="id or name")
    publishing.add_argument("--name", help="the model's name; the run's without it")
    publishing.add_argument("--facts", type=Path, metavar="YAML", help="title, data, licence, use: what no run knows")
    publishing.add_argument("--half", action="store_true", help="store the weights in 16 bits: half the size")
    words = "record what a model's training scans looked like, so that it warns of scans unlike them"
    learning = actions.add_parser("likeness", help=words, description=words)
    learning.add_argument("model", metavar="MODEL")
    learning.add_argument("data", type=Path, metavar="DATA", help="the data set it was trained on")
    words = "calibrate a model's confidence on the validation and test cases of its data set"
    calibrating = actions.add_parser("calibrate", help=words, description=words)
    calibrating.add_argument("model", metavar="MODEL")
    calibrating.add_argument("data", type=Path, metavar="DATA", help="the data set it was trained on")
    pairs = (listing, _list), (showing, _show), (importing, _import), (exporting, _export), (publishing, _publish)
    for action, function in (*pairs, (learning, _learn), (calibrating, _calibrate)):
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(run=run, act=function)


def run(args: Namespace) -> int:
    args.act(args)
    return 0


def _list(args: Namespace) -> None:
    if args.networks:
        networks.tell(as_json=args.json)
        return
    from core.inference.kinds import list_models

    packages = list_models()
    if args.json:
        answer_json({"models": [package.as_dict() for package in packages]})
    elif not packages:
        answer("No models yet. `isocenter models import FILE` or `isocenter models publish RUN` brings one.")
    else:
        rows = [(p.name, p.version, p.title, p.summary, "bundled" if p.bundled else "") for p in packages]
        answer(table(rows, ("model", "version", "title", "", "")))


def _show(args: Namespace) -> None:
    from core.inference.kinds import find_model

    if networks.show(args.model, as_json=args.json):
        return
    package = find_model(args.model)
    if args.json:
        answer_json({**package.as_dict(), "card": package.card})
    else:
        answer(package.card or f"{package.title} {package.version}: {package.summary}")
        answer(f"Folder: {package.folder}")


def _import(args: Namespace) -> None:
    from core.inference import runtime
    from core.inference.importing import import_model
    from core.inference.package import ModelPackage

    package, kind = import_model(args.path, name=args.name, fold=args.fold, orientation=args.orientation)
    say(f"{args.path.name} is {kind}")
    if isinstance(package, ModelPackage) and runtime.lacks_graph(package):
        from core.inference.runtime.convert import prepare_all

        say("Preparing the model for this computer's CPU")
        try:
            prepare_all(package)
        except ModelError as error:
            say(f"warning: the model was imported, but {error}")
    _told(args, package)


def _export(args: Namespace) -> None:
    from core.inference.archive import export_package
    from core.inference.kinds import find_model

    package = find_model(args.model)
    path = export_package(package, args.out)
    if args.json:
        answer_json({"model": package.name, "version": package.version, "output": str(path)})
    else:
        answer(f"{package.name} {package.version} -> {path}")


def _publish(args: Namespace) -> None:
    from core.catalog import Catalog
    from core.catalog.groups import group_meant
    from core.inference.assemble import Facts, read_facts
    from core.inference.ensemble import publish_ensemble
    from core.inference.kinds import kind_of_group, run_meant
    from core.inference.publish import publish

    facts = read_facts(args.facts) if args.facts else Facts()
    if (other := run_meant(args.run_name)) is not None:
        kind, run = other
        with Progress() as progress:
            _told(args, kind.publish(run, name=args.name, facts=facts, half=args.half, control=progress.control()))
        return
    with Catalog() as catalog:
        group = group_meant(catalog, args.run_name)
    if group is not None and (measured_by := kind_of_group(group.id)) is not None:
        with Progress() as progress:
            package = measured_by[0].publish_folds(
                group, name=args.name, facts=facts, half=args.half, control=progress.control()
            )
        _told(args, package)
        return
    make, source = (publish, args.run_name) if group is None else (publish_ensemble, group.id)
    with Progress() as progress:
        package = make(source, name=args.name, facts=facts, half=args.half, control=progress.control())
    _told(args, package)


def _learn(args: Namespace) -> None:
    from core.inference.learn_likeness import record_likeness
    from core.inference.package import find_package

    with Progress() as progress:
        package = record_likeness(find_package(args.model), args.data, progress.control())
    _told(args, package)


def _calibrate(args: Namespace) -> None:
    from core.inference.calibrating import record_calibration
    from core.inference.package import find_package

    with Progress() as progress:
        package = record_calibration(find_package(args.model), args.data, progress.control())
    _told(args, package)


def _told(args: Namespace, package: Any) -> None:
    if args.json:
        answer_json(package.as_dict())
    else:
        answer(f"{package.name} {package.version}: {package.summary}")
        answer(f"Folder: {package.folder}")
