"""What a network for scans costs for each voxel that it sees, before any of it is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from core import registry
from core.errors import ConfigError

SIDES = (64, 64, 64)  # of the patch that a network is laid out for


@dataclass(frozen=True)
class Cost:
    """operations: of floating point, two for a multiplication and addition, in a forward pass. kept_bytes: what such a
    pass in 32 bits keeps for the backward one. Both for each voxel of the input. parameters: of the whole network."""

    operations: float
    kept_bytes: float
    parameters: float


def cost_of(model: Any) -> Cost:
    """The cost of a network's configuration.

    One that counts itself (`cost`) is asked, without torch; any other is laid out without memory, once. Raises
    ConfigError where it cannot be built.
    """
    if hasattr(model, "cost"):
        counted: Cost = model.cost
        return counted
    return _laid_out(model.name, model.model_dump_json())


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
