"""The parts of the data as they were when a package was trained."""

from __future__ import annotations

import json
from pathlib import Path

from core.catalog import Catalog
from core.catalog.groups import group_named
from core.data.split import SPLIT
from core.errors import ConfigError
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
