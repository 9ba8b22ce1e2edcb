"""The clinical values that a model of risk takes, and how they are handed to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.inference.package import AnyPackage
from gui.values.fields import OTHER, ValueField


def fields_of(package: AnyPackage) -> list[ValueField]:
    """The values that a model takes, in its order."""
    plan = package.as_dict().get("plan")
    told = plan.get("values", []) if isinstance(plan, Mapping) else []
    return [
        ValueField(
            str(one["name"]), str(one.get("unit", "")), one.get("low"), one.get("high"),
            str(one.get("group") or OTHER), tuple(map(str, one.get("words", ()))), mean=float(one.get("mean", 0.0)),
            scale=float(one.get("scale", 1.0)) or 1.0,
        )
        for one in told
    ]  # fmt: skip


def as_tree(subject: str, values: Mapping[str, float]) -> dict[str, Any]:
    """What a model's kind reads as one subject's clinical values."""
    return {"id": subject, **{name: value for name, value in values.items() if math.isfinite(value)}}
