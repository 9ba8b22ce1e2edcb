"""Estimators on disk without pickle: their settings as YAML, their weights as safetensors.

from core.tasks.tabular.saving import load_estimator, save_estimator
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import Field, ValidationError

from core import registry
from core.config import MAX_CONFIG_BYTES, read_yaml
from core.data.tables.encode import TableCoding
from core.errors import ModelError
from core.files import write_bytes, write_text
from core.inference.package import checked_weights, weights_file
from core.registry import Part
from core.tasks.tabular import estimators

SETTINGS = "estimator.yaml"
MOST_NETWORKS = 64


class _Classes(Part):
    """What a classifier has learned to tell apart."""

    kind: Literal["classes"] = "classes"
    classes: list[bool | int | float | str] = Field(min_length=2, max_length=100_000)
    classes_type: str = Field(pattern=r"^([|<>=]?(b|i|u|f|U)\d{1,6}|[|]?O|object|bool)$")
    temperature: float = Field(gt=0, le=100)
    threshold: float


class _Number(Part):
    """The outcome of a regression, which the networks know standardised."""

    kind: Literal["number"] = "number"
    mean: float
    scale: float = Field(gt=0)


class _Kept(Part):
    """The contents of an estimator.yaml."""

    format: Literal[1] = 1
    estimator: Literal[
        "MLPTableClassifier", "TokenTransformerClassifier", "MLPTableRegressor", "TokenTransformerRegressor"
    ]
    settings: dict[str, Any]
    taught_by: str = Field("", max_length=200)
    features: int = Field(ge=1, le=100_000)
    feature_names: list[str] | None = Field(None, max_length=100_000)
    outcome: _Classes | _Number
    coding: TableCoding
    weights: list[str] = Field(min_length=1, max_length=MOST_NETWORKS)


def save_estimator(estimator: Any, folder: Path) -> Path:
    """Write a fitted estimator into a folder, which is made; returns it.

    A teacher that is an object of its own is named, not kept: it is not needed to predict. Raises NotFittedError.
    """
    from safetensors.torch import save
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    folder.mkdir(parents=True, exist_ok=True)
    sums = []
    for place, network in enumerate(estimator.networks_):
        # They were trained in float32, so that nothing is lost.
        tensors = {
            name: t.float().contiguous() if t.is_floating_point() else t for name, t in network.state_dict().items()
        }
        data = save(tensors)
        write_bytes(folder / weights_file(place), data)
        sums.append(hashlib.sha256(data).hexdigest())
    settings = estimator.get_params(deep=False)
    taught_by = settings.get("teacher")
    own = taught_by is not None and not isinstance(taught_by, str | list | tuple)
    if own:
        settings["teacher"] = None
    if not isinstance(settings["random_state"], int | np.integer):
        settings["random_state"] = None
    names = getattr(estimator, "feature_names_in_", None)
    tree = {
        "format": 1, "estimator": type(estimator).__name__, "settings": {k: _plain(v) for k, v in settings.items()},
        "taught_by": type(taught_by).__name__ if own else "", "features": int(estimator.n_features_in_),
        "feature_names": None if names is None else [str(name) for name in names],
        "outcome": _outcome(estimator), "coding": estimator.coding_.model_dump(mode="json"), "weights": sums,
    }  # fmt: skip
    write_text(folder / SETTINGS, yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
    return folder


def load_estimator(folder: Path) -> Any:
    """The fitted estimator in a folder; it answers as the one that was saved, to the bit.

    Raises ModelError where the files are missing, damaged, or do not fit each other.
    """
    from core.inference.network import fill

    path = folder / SETTINGS
    try:
        if path.stat().st_size > 64 * MAX_CONFIG_BYTES:
            raise ModelError("too large to be an estimator's settings", where=path)
        kept = _Kept.model_validate(read_yaml(path.read_text(encoding="utf-8")))
        estimator: Any = getattr(estimators, kept.estimator)(**kept.settings)
        network = estimator.network_settings()
        part = registry.made(network, "table_model")
    except OSError as error:
        raise ModelError(f"the settings cannot be read ({error.strerror or error})", where=path) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError, TypeError, ValueError) as error:
        told = str(error).strip().splitlines()
        raise ModelError(f"these are no estimator's settings ({' '.join(told[:3])[:300]})", where=path) from None
    if not _fits(estimator, kept.outcome):
        raise ModelError("the outcome is of another kind than the estimator", where=path)
    estimator.n_features_in_ = kept.features
    if kept.feature_names is not None:
        estimator.feature_names_in_ = np.array(kept.feature_names, dtype=object)
    outputs, estimator.coding_ = _learned(estimator, kept.outcome), kept.coding
    estimator.networks_ = []
    for place, sha256 in enumerate(kept.weights):
        file = folder / weights_file(place)
        filled = fill(
            lambda: part.build(kept.coding.width, kept.coding.cardinalities, outputs),
            lambda file=file, sha256=sha256: checked_weights(file, sha256),  # type: ignore[misc]
            file,
        )
        estimator.networks_.append(filled.double())
    return estimator


def _outcome(estimator: Any) -> dict[str, Any]:
    if hasattr(estimator, "classes_"):
        return {
            "kind": "classes", "classes": _plain(estimator.classes_), "classes_type": estimator.classes_.dtype.str,
            "temperature": float(estimator.temperature_), "threshold": float(estimator.threshold_),
        }  # fmt: skip
    return {"kind": "number", "mean": estimator.mean_, "scale": estimator.scale_}


def _fits(estimator: Any, outcome: _Classes | _Number) -> bool:
    return isinstance(outcome, _Classes) == hasattr(estimator, "predict_proba")


def _learned(estimator: Any, outcome: _Classes | _Number) -> int:
    """Give the estimator what it has learned of its outcome; returns the outputs of its networks."""
    if isinstance(outcome, _Number):
        estimator.mean_, estimator.scale_ = outcome.mean, outcome.scale
        return 1
    estimator.classes_ = np.array(outcome.classes, dtype=np.dtype(outcome.classes_type))
    estimator.temperature_, estimator.threshold_ = outcome.temperature, outcome.threshold
    return len(outcome.classes)


def _plain(value: Any) -> Any:
    """A setting as YAML holds it."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
