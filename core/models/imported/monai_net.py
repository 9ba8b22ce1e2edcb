"""A network of MONAI's by the name of its class and plain arguments: what a MONAI bundle says of its network."""

from __future__ import annotations

import inspect
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from core.registry import Part, register

# Segmentation networks that answer a volume with one volume of the same size, and fetch nothing.
Network = Literal["UNet", "BasicUNet", "DynUNet", "SegResNet", "SegResNetDS", "SwinUNETR", "UNETR", "AttentionUnet",
                  "VNet", "HighResNet"]  # fmt: skip
NETWORKS: tuple[str, ...] = get_args(Network)
SET_BY_PLAN = ("in_channels", "out_channels", "spatial_dims")
# How often a layer is repeated: large numbers would make a network that takes forever to build.
_COUNTS = ("num_res_units", "depths", "blocks_down", "blocks_up", "deep_supr_num", "dsdepth")
_MAX_COUNT, _MAX_NUMBER, _MAX_LENGTH, _MAX_DEPTH = 32, 16_384, 64, 4


@register("imported model")
class MonaiNetConfig(Part):
    """A network of monai.networks.nets; its arguments are numbers, words and lists of them."""

    name: Literal["monai"] = "monai"
    network: Network
    arguments: dict[str, Any] = Field(default_factory=dict, max_length=40)

    @field_validator("arguments")
    @classmethod
    def _plain(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for key, value in arguments.items():
            if key in SET_BY_PLAN:
                raise ValueError(f"{key} is told by the plan")
            _check(key, value, _MAX_COUNT if key in _COUNTS else _MAX_NUMBER)
        return arguments

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> (batch, out_channels, i, j, k). TypeError: wrong arguments."""
        from monai.networks import nets

        from core.models.nets.rates import rates_on_cpu

        with rates_on_cpu():
            made = getattr(nets, self.network)
            return made(spatial_dims=3, in_channels=in_channels, out_channels=out_channels, **self.arguments)


def known_arguments(network: str) -> set[str]:
    """What the class takes."""
    from monai.networks import nets

    return set(inspect.signature(getattr(nets, network).__init__).parameters) - {"self"}


def _check(key: str, value: Any, most: int, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError(f"{key} is nested too deep")
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        if not abs(value) <= most:
            raise ValueError(f"{key} is {value}, more than {most:,}")
    elif isinstance(value, str):
        if len(value) > _MAX_LENGTH:
            raise ValueError(f"{key} is too long")
    elif isinstance(value, list | tuple | dict):
        if len(value) > _MAX_LENGTH:
            raise ValueError(f"{key} is too long")
        for one in value.values() if isinstance(value, dict) else value:
            _check(key, one, most, depth + 1)
    else:
        raise ValueError(f"{key} is no plain value")
