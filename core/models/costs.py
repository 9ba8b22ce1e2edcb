"""What a network for scans costs for each voxel that it sees, before any of it is made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from core import registry
from core.errors import ConfigError
from core.models import slicing
from core.paths import RESOURCES

SIDES = (64, 64, 64)  # of the patch that a network is laid out for
TABLE = RESOURCES / "network_costs.json"  # what `table` gives: of networks as they are offered, so without torch


@dataclass(frozen=True)
class Cost:
    """operations: of floating point, two for a multiplication and addition, in a forward pass. kept_bytes: what such a
    pass in 32 bits keeps for the backward one. Both for each voxel of the input. parameters: of the whole network."""

    operations: float
    kept_bytes: float
    parameters: float


def cost_of(model: Any) -> Cost:
    """The cost of a network's configuration.

    One that counts itself (`cost`) is asked, and one with its usual settings looked up, both without torch; any other
    is laid out without memory, once. Raises ConfigError where it cannot be built.
    """
    if hasattr(model, "cost"):
        counted: Cost = model.cost
        return counted
    settings = model.model_dump_json()
    known = _known().get(settings)
    return _laid_out(model.name, settings) if known is None else known


def table() -> dict[str, dict[str, float]]:
    """The costs of every network that does not count itself, with its usual settings and seeing slices, by these."""
    found = {}
    for part in registry.parts("model").values():
        made: list[Any] = []
        if not hasattr(part, "cost") and not any(field.is_required() for field in part.model_fields.values()):
            made = [part()]
            if slicing.SETTING in part.model_fields:
                made += [part.model_validate({slicing.SETTING: axis}) for axis in "xyz"]
        for model in made:
            settings = model.model_dump_json()
            found[settings] = asdict(_laid_out(model.name, settings))
    return found


@cache
def _known() -> dict[str, Cost]:
    return {settings: Cost(**cost) for settings, cost in json.loads(TABLE.read_text(encoding="utf-8")).items()}


@cache
def _laid_out(name: str, settings: str) -> Cost:
    from core.models.describing import describe

    model: Any = registry.part("model", name).model_validate_json(settings)
    try:
        found = describe(model, SIDES)
    except (ValueError, RuntimeError, AssertionError, TypeError) as error:
        raise ConfigError(f"the network {model.name} cannot be built ({str(error)[:200]})", where="model") from error
    voxels = found.patch[0] * found.patch[1] * found.patch[2]
    return Cost(found.forward_flops / voxels, found.kept_bytes / voxels, found.parameters)


if __name__ == "__main__":  # after a change of a network: python -m core.models.costs
    TABLE.write_text(json.dumps(table(), indent=1) + "\n", encoding="utf-8")
