"""Models of every task: found by name, listed, and the kind that knows how each is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import registry
from core.config import DEFAULT_TASK
from core.errors import ModelError
from core.inference.manifest import MANIFEST, task_in
from core.inference.package import AnyPackage, ModelPackage, list_for, manifest_bytes

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.catalog.groups import GroupRow
    from core.inference.model_kind import ModelKind


def kind_of(task: str) -> ModelKind | None:
    """The kind of a task's models; None where they are those for scans. Raises ConfigError for no task."""
    chosen: Any = registry.part("task", task)
    return chosen.kind_of_model()


def read_model(folder: Path, *, bundled: bool = False) -> AnyPackage:
    """The package in a folder, whatever its task. Raises ModelError where it is none."""
    task = task_in(manifest_bytes(folder))
    if task == DEFAULT_TASK:  # without importing every task, which the quick predictions of scans do not wait for
        return ModelPackage.read(folder, bundled=bundled)
    if task not in registry.parts("task"):
        raise ModelError(f"this is a model for a task that is not known here ({task})", where=folder / MANIFEST)
    kind = kind_of(task)
    return ModelPackage.read(folder, bundled=bundled) if kind is None else kind.read(folder, bundled=bundled)


def list_models() -> list[AnyPackage]:
    """Every usable package of every task, bundled and the user's own, newest version of a name first."""
    return list_for(None, read_model)


def find_model(name: str | Path) -> AnyPackage:
    """The newest package of that name, the one called "name-version", or the one in that folder.

    Raises ModelError, naming the models there are.
    """
    packages = list_models()
    for package in packages:
        if name in (package.name, f"{package.name}-{package.version}"):
            return package
    folder = Path(name).expanduser()
    if (folder / MANIFEST).is_file():
        return read_model(folder)
    there_are = ", ".join(dict.fromkeys(package.name for package in packages)) or "none"
    raise ModelError(f"there is no model named {str(name)!r}", mend=f"The models here: {there_are}.")


def kind_of_package(package: AnyPackage) -> ModelKind | None:
    """The kind of a package; None where it is one for scans."""
    return None if isinstance(package, ModelPackage) else kind_of(package.as_dict()["task"])


def meant(run_or_model: str) -> tuple[ModelKind, AnyPackage | RunRow] | None:
    """A run's id, a model, or a run's name, looked up in this order; None where that is something for scans."""
    from core.catalog import Catalog

    with Catalog() as catalog:
        runs = catalog.runs()
    run = next((run for run in runs if run.id == run_or_model), None)
    if run is None:
        try:
            package = find_model(run_or_model)
        except ModelError:
            run = max((run for run in runs if run.name == run_or_model), key=lambda run: run.created, default=None)
        else:
            kind = kind_of_package(package)
            return None if kind is None else (kind, package)
    if run is None or run.task not in registry.parts("task"):
        return None
    kind = kind_of(run.task)
    return None if kind is None else (kind, run)


def kind_of_group(id_or_name: str) -> tuple[ModelKind, GroupRow] | None:
    """A cross-validation with the kind that measures it; None where it is one on scans.

    Raises CatalogError where there is none of that id or name.
    """
    from core.catalog import Catalog
    from core.catalog.groups import group
    from core.config import task_of
    from core.kept import kept_settings

    with Catalog() as catalog:
        row = group(catalog, id_or_name)
    kind = kind_of(task_of(kept_settings(row)))
    return None if kind is None else (kind, row)


def run_meant(id_or_name: str) -> tuple[ModelKind, RunRow] | None:
    """The run of that id, or the newest of that name; None where there is none or it is one on scans."""
    from core.catalog import Catalog

    with Catalog() as catalog:
        runs = [run for run in catalog.runs() if id_or_name in (run.id, run.name)]
    run = max(runs, key=lambda run: (run.id == id_or_name, run.created), default=None)
    kind = kind_of(run.task) if run is not None and run.task in registry.parts("task") else None
    return None if run is None or kind is None else (kind, run)
