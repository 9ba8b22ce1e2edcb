"""The networks that can be trained: what `models list --networks` and `models show NETWORK` tell of them."""

from __future__ import annotations

from typing import Any

from core.commands.console import answer, answer_json, table

LEARN_FROM = {
    "model": "scans", "risk_model": "MRI, PET and clinical values", "table_model": "tables", "encoder": "time series",
}  # fmt: skip


def tell(*, as_json: bool) -> None:
    """All of them, with what they learn from."""
    from core import registry

    found = [
        (name, kind, " ".join((part.__doc__ or "").split()), part)
        for kind in LEARN_FROM
        if kind in registry.KINDS
        for name, part in registry.parts(kind).items()
    ]
    if as_json:
        networks = [
            {"name": name, "kind": kind, "description": words, "schema": part.model_json_schema()}
            for name, kind, words, part in found
        ]
        answer_json({"networks": networks})
    else:
        answer(table([(name, LEARN_FROM[kind], words) for name, kind, words, _ in found], ("network", "for", "")))


def show(name: str, *, as_json: bool) -> bool:
    """What the network of that name, or of a preset, costs; False where it is neither or cannot be told."""
    chosen = _chosen(name)
    if chosen is None:
        return False
    described = _described(*chosen)
    if described is None:
        return False
    if as_json:
        answer_json({"network": name, **described.as_dict()})
    else:
        answer(f"{name}: {' '.join((chosen[1].__doc__ or '').split())}")
        for line in described.lines():
            answer(line)
    return True


def _chosen(name: str) -> tuple[str, Any] | None:
    """The kind and the configuration of the network that is meant."""
    from core import config, registry

    for kind in LEARN_FROM:
        if kind in registry.KINDS and name in registry.parts(kind):
            return kind, registry.part(kind, name)()
    if name not in config.presets() or name in _packages():
        return None
    model = getattr(config.load(name), "model", None)
    kinds = (kind for kind in LEARN_FROM if kind in registry.KINDS)
    found = next((kind for kind in kinds if type(model) in registry.parts(kind).values()), None)
    return None if found is None else (found, model)


def _packages() -> set[str]:
    from core.inference.kinds import list_models

    return {package.name for package in list_models()}


def _described(kind: str, model: Any) -> Any:
    if kind == "model":
        from core.models.describing import describe

        return describe(model)
    if kind == "risk_model":
        from core.tasks.alzheimers.describing import describe as describe_risk

        return describe_risk(model)
    return None
