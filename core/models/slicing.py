"""Networks that see the slices across one axis one by one: a setting that a network for scans may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

Slices = Literal["x", "y", "z"] | None
SETTING = "slices"  # the name of the field; the planner fills it where a network has it


def setting() -> Any:
    """The field of a network's configuration."""
    return Field(
        None,
        title="Slices across",
        description="The axis whose slices are seen one by one, as suits few or very thick ones; empty: 3D.",
    )


def divisor(side: int, slices: Slices) -> int | tuple[int, int, int]:
    """What the sides of an input are multiples of, where those of a slice are multiples of `side`.

    >>> divisor(8, None), divisor(8, "z")
    (8, (8, 8, 1))
    """
    if slices is None:
        return side
    x, y, z = (1 if axis == slices else side for axis in "xyz")
    return x, y, z


def in_plane(values: Sequence[int], slices: Slices) -> tuple[int, ...]:
    """Numbers for x, y, z without that across the slices.

    >>> in_plane((4, 5, 6), "y"), in_plane((4, 5, 6), None)
    ((4, 6), (4, 5, 6))
    """
    return tuple(value for value, axis in zip(values, "xyz", strict=True) if axis != slices)


def dimensions(slices: Slices) -> int:
    """Of what the network sees at once."""
    return 3 if slices is None else 2


def taking_volumes(network: Any, slices: Slices) -> Any:
    """A network of as many dimensions as `slices` says, for volumes."""
    if slices is None:
        return network
    from core.models.nets.slicewise import Slicewise

    return Slicewise(network, "xyz".index(slices))
