"""The manifest of a model package, model.yaml: what it may say, read as plain values and checked key by key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from core import registry
from core.config import MAX_CONFIG_BYTES, read_yaml
from core.data.plan import Plan
from core.errors import ModelError
from core.inference.confidence import Calibration
from core.inference.likeness import Likeness
from core.registry import Part
from core.training.origin import MAX_SEEN

MANIFEST = "model.yaml"
MAX_NETWORKS = 20
MAX_PATCH_VOXELS = 2**26

NETWORKS = ("imported model", "model")  # the kinds of a network for scans
NETWORK, PIPELINE = registry.describes(*NETWORKS), registry.describes("pipeline")

Millimetres = tuple[float, float]
Digits = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Described = TypeVar("Described", bound=Part)


class Dice(Part):
    """Dice of one structure over cases that were not trained on."""

    mean: float = Field(ge=0, le=1)
    sd: float | None = Field(None, ge=0, le=1)


class Member(Part):
    """One further network of an ensemble, of the same kind as the first."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    graph_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")


class Training(Part):
    """What the model was trained on and how well it did, for its card and wherever its result is shown."""

    data: str = Field(max_length=400)
    licence: str = Field("", max_length=200)
    cases: dict[Literal["train", "val", "test"], int] = Field(default_factory=dict)
    measured_on: Literal["val", "test", "folds"] = "val"
    protocol: str = Field("", max_length=4000)
    started_from: str = Field("", max_length=1000)
    # The scans it was ever trained on, by the first digits of their contents' hashes; None where that is not known.
    seen: list[Digits] | None = Field(None, max_length=MAX_SEEN)
    dice: dict[str, Dice] = Field(default_factory=dict)
    simulated: bool = False
    run: str = Field("", max_length=200)


class Region(Part):
    """Where in the template one structure of a pair lies. `mirror`: the network sees it mirrored in x."""

    side: Literal["left", "right"]
    box_ras_mm: tuple[Millimetres, Millimetres, Millimetres]
    mirror: bool = False


class WholeHead(Part):
    """How a model of a small region is used on a whole head in template space."""

    template: Literal["icbm152"]
    regions: list[Region] = Field(min_length=1, max_length=8)


class ManifestHead(Part):
    """What the model.yaml of every task begins with. sha256: of the weights."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str = Field(pattern=r"^\d{1,4}(\.\d{1,4}){0,2}$")
    title: str = Field(min_length=1, max_length=200)
    intended_use: str = Field("", max_length=4000)
    forbidden_use: str = Field("", max_length=4000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(ManifestHead):
    """The contents of model.yaml. Format 2 is an ensemble: `members` are its networks after the first."""

    format: Literal[1, 2] = 1  # type: ignore[assignment]  # a wider choice than that of the others
    task: Literal["segmentation"] = "segmentation"
    network: Annotated[dict[str, Any], NETWORK]
    plan: Plan
    pipeline: Annotated[dict[str, Any], PIPELINE] | None = None  # of a model that another program made
    mirror_axes: list[Literal["x", "y", "z"]] = Field([], max_length=3)
    training: Training
    graph_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    whole_head: WholeHead | None = None
    members: list[Member] | None = Field(None, min_length=1, max_length=MAX_NETWORKS - 1)
    likeness: Likeness | None = None
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _members_make_format_2(self) -> Manifest:
        if (self.format == 2) != (self.members is not None):
            raise ValueError("format 2 has members, format 1 has none")
        return self

    @field_validator("plan")
    @classmethod
    def _sane_plan(cls, plan: Plan) -> Plan:
        x, y, z = plan.patch_size
        if min(plan.patch_size) < 1 or x * y * z > MAX_PATCH_VOXELS:
            raise ValueError("patch_size is out of range")
        if not all(0.01 <= spacing <= 100 for spacing in plan.spacing_mm):
            raise ValueError("spacing_mm is out of range")
        if not plan.labels:
            raise ValueError("there are no labels")
        return plan


def task_in(data: bytes) -> str:
    """The task that a model.yaml is for, valid or not.

    >>> task_in(b"name: a\\ntask: tabular\\n"), task_in(b"name: a\\n")
    ('tabular', 'segmentation')
    """
    found = re.search(rb"^task: *([a-z_]+)", data, re.MULTILINE)
    return found[1].decode() if found else "segmentation"


def parse_as(kind: type[Described], data: bytes, where: Path) -> Described:
    """Check the bytes of a model.yaml of one kind. Raises ModelError that names every wrong key."""
    if len(data) > MAX_CONFIG_BYTES:
        raise ModelError(f"model.yaml is larger than {MAX_CONFIG_BYTES:,} bytes", where=where)
    try:
        return kind.model_validate(read_yaml(data.decode("utf-8")))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'model'}: {e['msg']}" for e in error.errors()[:5])
        raise ModelError(f"model.yaml is not valid ({wrong})", where=where) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model.yaml is not readable ({first})", where=where) from None


def network_of(tree: dict[str, Any]) -> Any:
    """The registered part that a network's description names. Raises ConfigError where there is none."""
    return registry.made(tree, *NETWORKS)
