"""What a run keeps, read back: its settings in the catalog, the files of its folder. Damage is told by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from core import config
from core.errors import CatalogError, ConfigError, IsocenterError

Kind = TypeVar("Kind", bound=BaseModel)
EXPERIMENT = "experiment.yaml"  # in a run's folder
MAX_BYTES = 512 * 1024**2  # of a file of plain text: the parts of a split name every case
MEND = "Put the run's folder back, or train anew."


class Row(Protocol):
    """A row of the catalog with settings: a run or a cross-validation."""

    @property
    def id(self) -> str: ...
    @property
    def config(self) -> str: ...


def kept_settings(row: Row) -> dict[str, Any]:
    """The settings of a run or a cross-validation as a plain tree. Raises CatalogError where its row is damaged."""
    try:
        tree = config.read_yaml(row.config)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError):
        tree = None
    if not isinstance(tree, dict):
        raise CatalogError(
            "the settings that the catalog keeps of it are damaged", where=row.id,
            mend="Other runs are not touched by it. Delete it, or train anew.",
        )  # fmt: skip
    return tree


def kept_experiment(row: Row) -> Any:
    """The experiment of a run or a cross-validation. Raises CatalogError where it is damaged or no experiment."""
    tree = kept_settings(row)
    try:
        return config.parse(tree, where=row.id)
    except ConfigError as error:
        raise CatalogError(
            f"the settings that the catalog keeps of it do not hold ({error.what})", where=row.id,
            mend="It was made by another version of the program, or damaged. Train anew.",
        ) from error  # fmt: skip


def experiment_in(folder: Path) -> Any:
    """The experiment that a run's folder keeps. Raises IsocenterError where it is gone, damaged or no experiment."""
    path = folder / EXPERIMENT
    try:
        tree = config.read_yaml(kept_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _damaged(path, "damaged") from error
    if not isinstance(tree, dict):
        raise _damaged(path, "damaged")
    return config.parse(tree, where=path)


def kept_text(path: Path) -> str:
    """The text of a file that a run keeps in its folder. Raises IsocenterError where it is gone or cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _damaged(path, "too large")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, (isinstance(error, OSError) and error.strerror) or "damaged") from error


def kept_part(path: Path, kind: type[Kind]) -> Kind:
    """A YAML file of a run's folder as what it holds. Raises IsocenterError where it is gone or damaged."""
    try:
        return kind.model_validate(config.read_yaml(kept_text(path)))
    except (yaml.YAMLError, ValidationError, RecursionError, ValueError) as error:
        raise _damaged(path, "damaged") from error


def kept_lists(path: Path) -> dict[str, list[Any]]:
    """A JSON file of a run's folder that names lists, such as its parts. Raises IsocenterError as `kept_part`."""
    tree = kept_table(path)
    if not all(isinstance(part, list) for part in tree.values()):
        raise _damaged(path, "damaged")
    return tree


def kept_table(path: Path) -> dict[str, Any]:
    """A JSON file of a run's folder that holds an object. Raises IsocenterError as `kept_part`."""
    try:
        tree = json.loads(kept_text(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "damaged") from error
    if not isinstance(tree, dict):
        raise _damaged(path, "damaged")
    return tree


def _damaged(path: Path, reason: str) -> IsocenterError:
    return IsocenterError(f"a file that the run keeps cannot be read ({reason})", where=path, mend=MEND)
