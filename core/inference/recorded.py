"""The data that a package was trained on, and its parts as they were then."""

from __future__ import annotations

import json
from pathlib import Path

from core.catalog import Catalog
from core.catalog.groups import group_named
from core.data.dataset import discover
from core.data.split import SPLIT
from core.errors import CatalogError, ConfigError
from core.inference.package import ModelPackage
from core.paths import runs_folder


def recorded_split(package: ModelPackage) -> dict[str, list[str]] | None:
    """The cases of each part as they were when the model was trained, or None where that is not known here.

    A run's folder has it, or the catalog for an ensemble of a cross-validation; that of a model that comes with the
    program lies beside its folder.
    """
    run = package.manifest.training.run
    places = [package.folder.with_name(f"{package.folder.name}.{SPLIT}")] if package.bundled else []
    places += [runs_folder() / run / SPLIT] if run and Path(run).name == run else []
    for place in places:
        try:
            parts = json.loads(place.read_text(encoding="utf-8"))
            return {str(part): [str(case) for case in cases] for part, cases in parts.items()}
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError("the recorded split cannot be read", where=place) from error
    with Catalog() as catalog:
        folds = group_named(catalog, run) if run else None
    if folds is None:
        return None
    return {"train": [case for fold in folds.folds for case in fold], "val": [], "test": folds.test}


def folds_of(package: ModelPackage) -> list[list[str]] | None:
    """Of an ensemble of a whole cross-validation, what each of its networks was not trained on; else None.

    Of one that lacks some folds nothing here says which network is whose.
    """
    run = package.manifest.training.run
    with Catalog() as catalog:
        row = group_named(catalog, run) if run else None
        if row is None or len(package.networks) != row.size:
            return None
        return row.folds


def data_folder(package: ModelPackage) -> Path | None:
    """The folder that a package was trained on, or None where that is not known here."""
    run = package.manifest.training.run
    if not run:
        return None
    with Catalog() as catalog:
        try:
            return Path(catalog.run(run).data_path)
        except CatalogError:
            folds = group_named(catalog, run)
    return None if folds is None else Path(folds.data_path)


def usual_part(package: ModelPackage, data: Path) -> str | None:
    """The part of a data set that is measured where none is asked for: None for all of it.

    "test" where `data` is the very folder that the package was trained on, holds the same cases as then, and some of
    them were kept out. Another folder is measured whole, whatever is in it.
    """
    trained_on = data_folder(package)
    try:
        if trained_on is None or not data.samefile(trained_on):
            return None
    except OSError:  # one of them is not there
        return None
    recorded = recorded_split(package) or {}
    there = {case.id for case in discover(data)[1]}
    return "test" if recorded.get("test") and there == {id for part in recorded.values() for id in part} else None
