"""Parts found by name: a new network, loss or task is one file with one `@register` line.

A registered part is a pydantic model whose `name` is a literal. It is at once the part's configuration, its form in
the window and its builder, so it must import torch only inside its methods.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.errors import ConfigError


class Part(BaseModel):
    """Base of every configuration block: unknown keys are errors, and a block does not change once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _read_texts(cls, tree: Any) -> Any:
        """A name or folder may look like a number, a path begin with `~`, which no shell unfolds in `path=~/a`."""
        return {key: cls._as_text(key, value) for key, value in tree.items()} if isinstance(tree, dict) else tree

    @classmethod
    def _as_text(cls, key: Any, value: Any) -> Any:
        if type(value) not in (int, str) or key not in cls.model_fields:
            return value
        annotation = cls.model_fields[key].annotation
        if annotation is str:
            return str(value)
        return os.path.expanduser(str(value)) if Path in (annotation, *get_args(annotation)) else value

    @model_validator(mode="before")
    @classmethod
    def _name_parts(cls, tree: Any) -> Any:
        """A part may be given by its name alone, and without a name it is the default one, its settings included."""
        if not isinstance(tree, dict):
            return tree
        named = dict(tree)
        for key, value in tree.items():
            default = cls.model_fields[key].get_default(call_default_factory=True) if key in cls.model_fields else None
            if isinstance(default, Part) and "name" in type(default).model_fields:
                named[key] = in_full(value, getattr(default, "name", ""))
                if isinstance(value, dict) and "name" not in value:
                    named[key] = {**default.model_dump(exclude_unset=True), **named[key]}
        return named


def in_full(value: Any, default: str) -> Any:
    """A part's tree with its name in it.

    >>> in_full("focal", "dice_ce"), in_full({"gamma": 2}, "focal")
    ({'name': 'focal'}, {'name': 'focal', 'gamma': 2})
    """
    if isinstance(value, str):
        return {"name": value}
    return {"name": default, **value} if isinstance(value, dict) and "name" not in value else value


P = TypeVar("P", bound=type[Part])

_parts: dict[str, dict[str, type[Part]]] = {}

# The packages whose modules register parts of a kind; each module is imported once, when the kind is first asked for.
_PACKAGES = {
    "model": "core.models",
    "table_model": "core.models.tables",
    "encoder": "core.models.encoders",
    "objective": "core.tasks.pretraining.objectives",
    "head": "core.tasks.finetuning.heads",
    "risk_model": "core.models.risk",
    "task": "core.tasks",
    "loss": "core.tasks.segmentation.losses",
    "volume_ssl": "core.tasks.volume_pretraining.objectives",
    "optimizer": "core.training.optimizers",
    "scheduler": "core.training.schedulers",
}


KINDS = tuple(_PACKAGES)  # the parts of an experiment

# Models of other programs and how they are used; no parts of an experiment.
_PACKAGES |= {"imported model": "core.models.imported", "pipeline": "core.inference.pipelines"}


def register(kind: str) -> Callable[[P], P]:
    """Class decorator that makes a `Part` available under its `name` literal."""

    def add(part: P) -> P:
        cls: type[Part] = part
        name = cls.model_fields["name"].default
        known = _parts.setdefault(kind, {})
        if name in known and known[name].__qualname__ != part.__qualname__:
            raise ValueError(f"two parts of kind {kind!r} are named {name!r}")
        known[name] = part
        return part

    return add


@cache
def import_all(package_name: str) -> None:
    """Import every module of a package, once: what they register is there then."""
    package = importlib.import_module(package_name)
    for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
        importlib.import_module(f"{package_name}.{module.name}")


def parts(kind: str) -> dict[str, type[Part]]:
    """All registered parts of a kind, by name."""
    import_all(_PACKAGES[kind])
    return dict(sorted(_parts.get(kind, {}).items()))


def part(kind: str, name: str) -> type[Part]:
    """The part of that kind and name. Raises ConfigError, naming the ones there are."""
    known = parts(kind)
    if name not in known:
        raise ConfigError(f"there is no {kind} named {name!r}", mend=f"Choose one of: {', '.join(known)}.")
    return known[name]


def made(tree: Mapping[str, Any], *kinds: str) -> Any:
    """The part that plain values describe, of the first of these kinds that knows its name. Raises ConfigError."""
    name = str(tree.get("name"))
    kind = next((kind for kind in kinds if name in parts(kind)), kinds[-1])
    return part(kind, name).model_validate(tree)


def describes(*kinds: str) -> AfterValidator:
    """Of a field that keeps a part as plain values: they have to describe one of these kinds."""

    def check(tree: dict[str, Any]) -> dict[str, Any]:
        try:
            made(tree, *kinds)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return tree

    return AfterValidator(check)


def union(kind: str) -> Any:
    """The type of a field that takes any part of a kind, told apart by its `name` key."""
    members = tuple(parts(kind).values())
    if len(members) == 1:
        return members[0]
    return Annotated[Union[members], Field(discriminator="name")]  # noqa: UP007 - built from a runtime tuple


def block(kind: str, default: str, title: str) -> tuple[Any, Any]:
    """An experiment's block that takes any part of a kind, as (type, field); `default` is the name of the usual one."""
    return union(kind), Field(default_factory=parts(kind)[default], title=title)
