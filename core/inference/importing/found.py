"""A model of another program, understood but not yet written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.data.plan import Plan
from core.inference.manifest import Training


@dataclass(frozen=True)
class Found:
    """All that a package needs. `kind` says what the model was, in a few words; `weights` are tensors by name.

    further: the weights of an ensemble's other networks.
    """

    kind: str
    name: str
    title: str
    network: dict[str, Any]
    plan: Plan
    pipeline: Any
    training: Training
    weights: dict[str, Any] = field(repr=False)
    further: list[dict[str, Any]] = field(default_factory=list, repr=False)
    mirror_axes: list[Any] = field(default_factory=list)
    version: str | None = None
    intended_use: str = ""
