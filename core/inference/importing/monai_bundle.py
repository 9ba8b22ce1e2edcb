"""MONAI bundles: configs/inference.json, configs/metadata.json and models/model.pt, read as data.

Nothing of a bundle is evaluated: what its configuration says is matched against what is known, and refused by name
where it is not. Parts that a prediction does not need (data sets, handlers, imports) are never looked at.
"""

from __future__ import annotations

import posixpath
from typing import Any

import yaml
from pydantic import ValidationError

from core.config import read_yaml
from core.data.plan import Label, Plan
from core.errors import ModelError
from core.imaging.channels import MOST
from core.inference.importing import monai_parts as parts
from core.inference.importing.checkpoint import MAX_BYTES, read_checkpoint, tensors
from core.inference.importing.contents import MAX_TEXT_BYTES, Contents
from core.inference.importing.found import Found
from core.inference.importing.monai_config import BundleConfig, Refuse
from core.inference.manifest import Training
from core.inference.network import skeleton
from core.inference.pipelines.monai import MonaiPipeline
from core.models.imported.monai_net import MonaiNetConfig
from core.models.weights import own_tensors

METADATA = "configs/metadata.json"
CONFIGS = tuple(f"configs/{name}.{kind}" for name in ("inference", "train") for kind in ("json", "yaml", "yml"))
WEIGHTS = ("models/model.pt", "models/model.pth", "models/model_best.pt")
_NESTED = ("model", "state_dict", "net", "network", "model_state_dict")


def is_bundle(contents: Contents) -> bool:
    return any(contents.find(name) for name in CONFIGS)


def read_bundle(contents: Contents) -> Found:
    """The model in a folder or archive. Raises ModelError for what is missing, hostile or unknown."""

    def refuse(what: str, mend: str | None = None) -> ModelError:
        return ModelError(what, where=contents.path, mend=mend)

    config_name = next(found for name in CONFIGS for found in contents.find(name)[:1])
    root = posixpath.dirname(posixpath.dirname(config_name))
    metadata_name = posixpath.join(root, METADATA)
    if metadata_name not in contents.names:
        raise refuse(f"{METADATA} is missing, which says what the model finds")
    metadata = contents.json(metadata_name)
    config = BundleConfig(_tree(contents, config_name, refuse), posixpath.basename(config_name), refuse)
    try:
        formats = metadata["network_data_format"]
        (image, scan), *further = formats["inputs"].items()
        inputs = int(scan["num_channels"])
        if further or not 1 <= inputs <= MOST:
            asked = max(inputs, 1 + len(further))
            raise refuse(f"it takes {asked} images of a subject in a way that is not supported")
        network, outputs = parts.network(config, inputs, refuse)
        preparing, finishing = _keys(config, refuse)
        answer = parts.answer(config, finishing, outputs, refuse)
        labels = _labels(formats["outputs"], outputs, answer.threshold is not None, refuse)
        pipeline = MonaiPipeline.model_validate(
            {"steps": parts.steps(config, preparing, image, refuse), "windows": {}, "answer": answer}
        )
        window, windows = parts.windows(config, refuse)
        pipeline = pipeline.model_copy(update={"windows": windows})
        plan = Plan(
            spacing_mm=pipeline.spacing_mm or (1.0, 1.0, 1.0), patch_size=window, labels=labels,
            channels=inputs, channel_names=_channels(scan, inputs),
            modality={"MR": "MR", "MRI": "MR", "CT": "CT"}.get(str(scan.get("modality", "")).upper(), ""),
        )  # fmt: skip
        title = str(metadata.get("name") or contents.path.stem)[:200]
        training = Training(
            data=str(metadata.get("data_source") or metadata.get("data_type") or title)[:400],
            protocol=_protocol(metadata),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, ValidationError):
            wrong = error.errors()[0]
            reason = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
        else:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise refuse(f"not a MONAI bundle that can be used ({reason})") from None
    weights = _weights(contents, root, network, plan, refuse)
    kind = f"a MONAI bundle with {network.network}"
    return Found(
        kind=kind, name=posixpath.basename(root) or contents.path.stem, title=title,
        network=network.model_dump(mode="json"), plan=plan, pipeline=pipeline, training=training, weights=weights,
        intended_use=str(metadata.get("intended_use") or "")[:4000],
    )  # fmt: skip


def _channels(scan: dict[str, Any], count: int) -> list[str]:
    """The names of the images of a subject, where the bundle says them."""
    told = scan.get("channel_def") or {}
    if count == 1 or not isinstance(told, dict):
        return []
    names = {int(number): str(name)[:120] for number, name in told.items() if str(number).isdigit()}
    return [names.get(number) or f"channel {number + 1}" for number in range(count)]


def _tree(contents: Contents, name: str, refuse: Refuse) -> dict[str, Any]:
    if name.endswith(".json"):
        return contents.json(name)
    try:
        tree = read_yaml(contents.read(name, MAX_TEXT_BYTES).decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise refuse(f"{name} is not readable ({(str(error).splitlines() or [''])[0][:200]})") from None
    if not isinstance(tree, dict):
        raise refuse(f"{name} is not an object")
    return tree


def _keys(config: BundleConfig, refuse: Refuse) -> tuple[str, str]:
    """Where the transforms before and after the network stand: in a training configuration, under `validate`."""
    for key in ("preprocessing", "pre_transforms", "preprocess"):
        if config.has(key):
            after = next((one for one in ("postprocessing", "post_transforms") if config.has(one)), "postprocessing")
            return key, after
    if config.has("validate"):
        return "validate#preprocessing", "validate#postprocessing"
    raise refuse(f"{config.name} says not how scans are prepared (preprocessing)")


def _labels(outputs: dict[str, Any], count: int, apart: bool, refuse: Refuse) -> list[Label]:
    """The structures by metadata.json. apart: each output is one by itself, so that there is no background."""
    told = outputs.get("pred", next(iter(outputs.values()), {})).get("channel_def") or {}
    names = {int(channel): str(name)[:120] or f"structure {channel}" for channel, name in told.items()}
    if apart and count == 1:  # "0: background, 1: spleen" is said of one output too: by its values
        name = names.get(1) or names.get(0) or "structure"
        return [Label(value=1, name=name, covers=[1])]
    if any(not 0 <= channel < count for channel in names):
        raise refuse(f"metadata.json names {len(names)} structures, the network has {count} outputs")
    if apart:
        return [Label(value=n + 1, name=names.get(n, f"structure {n + 1}"), covers=[n + 1]) for n in range(count)]
    if count < 2:
        raise refuse("the network has one output, and the largest of one says nothing")
    return [Label(value=n, name=names.get(n, f"structure {n}")) for n in range(1, count)]


def _protocol(metadata: dict[str, Any]) -> str:
    text = (
        f"A MONAI bundle (version {str(metadata.get('version', 'not stated'))[:40]}, for MONAI"
        f" {str(metadata.get('monai_version', 'of a version not stated'))[:40]}), imported. Its accuracy was not"
        " measured here."
    )
    told = metadata.get("eval_metrics")
    if isinstance(told, dict):
        figures = [f"{key} {value:g}" for key, value in told.items() if isinstance(value, int | float)]
        if figures:
            text += f" Its makers report: {', '.join(figures)[:400]}."
    for key in ("description", "authors", "copyright"):
        if metadata.get(key):
            text += f" {key.capitalize()}: {str(metadata[key])[:800]}."
    return text[:4000]


def _weights(contents: Contents, root: str, network: MonaiNetConfig, plan: Plan, refuse: Refuse) -> dict[str, Any]:
    """The state_dict, each tensor once: modules that a network holds twice are stored twice by MONAI."""
    name = next((one for one in (posixpath.join(root, file) for file in WEIGHTS) if one in contents.names), None)
    if name is None:
        if any(one.endswith(".ts") for one in contents.names):
            raise refuse("its weights are a TorchScript program (.ts), which would run as it is",
                         "Import the bundle with models/model.pt, its plain weights.")  # fmt: skip
        raise refuse(f"its weights ({WEIGHTS[0]}) are missing", "`python -m monai.bundle download` brings them.")
    tree = read_checkpoint(contents.read(name, MAX_BYTES), contents.path)
    if isinstance(tree, dict):
        tree = next((tree[key] for key in _NESTED if isinstance(tree.get(key), dict)), tree)
    given = tensors(tree, contents.path)
    try:
        made = skeleton(network, plan)
    except Exception as error:
        # MONAI's networks raise whatever their arguments lead to.
        raise refuse(f"its {network.network} cannot be built ({str(error)[:200]})") from None
    again = made.state_dict().keys() - own_tensors(made).keys()
    return {name: value for name, value in given.items() if name not in again}
