"""Making a package's files: from a training run's best checkpoint, and whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from core import config
from core.catalog import CheckpointRow, RunRow
from core.data.plan import load_plan
from core.data.split import load_split
from core.errors import ConfigError, ModelError
from core.files import sha256, sync_folder, write_bytes, write_text
from core.inference.manifest import MANIFEST, Manifest, Training, WholeHead
from core.inference.package import EXPERIMENT, WEIGHTS, ModelPackage
from core.kept import kept_experiment
from core.registry import Part
from core.training.origin import seen_in, start_words

INTENDED = "Research on scans like those it was trained on, with every result checked by a person."
FORBIDDEN = "Diagnosis, treatment or any other clinical decision. Research use only; this is no medical device."


class Facts(Part):
    """What no run knows of itself: given when a model is published, as YAML. `notes` go with the protocol."""

    title: str = Field("", max_length=200)
    data: str = Field("", max_length=400)
    licence: str = Field("", max_length=200)
    notes: str = Field("", max_length=2000)
    intended_use: str = Field(INTENDED, max_length=4000)
    forbidden_use: str = Field(FORBIDDEN, max_length=4000)
    simulated: bool = False
    whole_head: WholeHead | None = None


def read_facts(path: Path) -> Facts:
    """Read a facts file. Raises ConfigError where it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")[: config.MAX_CONFIG_BYTES]
        return Facts.model_validate(config.read_yaml(text) or {})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ConfigError(f"not valid ({wrong})", where=path) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot be read ({str(error).splitlines()[0]})", where=path) from None


def assemble(
    run: RunRow, checkpoint: CheckpointRow | None, folder: Path, *, name: str, version: str, facts: Facts,
    half: bool = False,
) -> ModelPackage:  # fmt: skip
    """Write the package of a run's checkpoint into `folder`, its accuracy still unmeasured and its card unwritten.

    half: store the weights in 16 bits, which halves the file.
    Raises ModelError where there is no checkpoint, or it is damaged or does not fit the run's network.
    """
    from core.inference.network import skeleton

    if checkpoint is None:
        raise ModelError(
            "the run has no checkpoint to publish", where=run.name, mend="Let it train for at least one epoch."
        )
    experiment = kept_experiment(run)
    plan = load_plan(run.folder)
    if plan.overlapping and facts.whole_head is not None:
        raise ModelError("a model of regions that overlap cannot be used on whole heads", where=run.name)
    weights = weights_of(checkpoint, skeleton(experiment.model, plan), half)
    split = load_split(run.folder)
    data, licence = describe_data(Path(run.data_path))
    training = Training(
        data=facts.data or data, licence=facts.licence or licence, simulated=facts.simulated, run=run.id,
        cases={part: len(ids) for part, ids in split.items()}, measured_on="test" if split.get("test") else "val",
        protocol=f"{protocol_of(experiment, checkpoint)} {facts.notes}".strip(), started_from=start_words(run.folder),
        seen=seen_in(run.folder),
    )  # fmt: skip
    manifest = Manifest(
        name=name, version=version, title=facts.title or run.name, network=experiment.model.model_dump(mode="json"),
        plan=plan, mirror_axes=experiment.data.augment.flip_axes, training=training, intended_use=facts.intended_use,
        forbidden_use=facts.forbidden_use, sha256=hashlib.sha256(weights).hexdigest(), whole_head=facts.whole_head,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, weights)
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, manifest)
    return ModelPackage(folder, manifest)


def write_manifest(folder: Path, manifest: Part) -> None:
    tree = manifest.model_dump(mode="json", exclude_none=True)
    write_text(
        folder / MANIFEST, yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    )


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; when the block ends well, it becomes `folder`.

    Raises ModelError where `folder` is there already or cannot be made; nothing half-written stays.
    """
    if folder.exists():
        raise ModelError("there is such a model already", where=folder, mend="Remove it, or use another name.")
    part = folder.with_name(f".part-{folder.name}")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        yield part
        part.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise ModelError(
            f"the model cannot be written ({error.strerror or error})",
            where=folder,
            mend="Free some space or make the folder writable.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def describe_data(path: Path) -> tuple[str, str]:
    """A data set's name and licence, from its dataset.json where that says them."""
    try:
        with (path / "dataset.json").open(encoding="utf-8") as file:
            content = json.loads(file.read(5_000_000))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        content = {}
    licence = content.get("licence") or content.get("license") or ""
    return str(content.get("name") or path.name)[:400], str(licence)[:200]


def weights_of(checkpoint: CheckpointRow, network: Any, half: bool = False) -> bytes:
    """The checkpoint's weights of a network as safetensors, each tensor once, in float32 or float16.

    Raises ModelError where the checkpoint is damaged or is of another network.
    """
    import torch
    from safetensors.torch import save

    from core.models.weights import own_tensors
    from core.training.checkpoints import load_weights

    if checkpoint.path.is_file() and sha256(checkpoint.path) != checkpoint.sha256:
        raise ModelError("the checkpoint is damaged (sha256)", where=checkpoint.path, mend="Use the other checkpoint.")
    tensors = load_weights(checkpoint.path)
    wanted = own_tensors(network)
    for name, tensor in wanted.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise ModelError(f"the checkpoint does not fit the run's network ({name})", where=checkpoint.path)
    kind = torch.float16 if half else torch.float32
    # Copies of their own in plain row-major order, as files hold them.
    plain = {n: tensors[n].to(kind) if tensors[n].is_floating_point() else tensors[n] for n in wanted}
    return bytes(save({name: tensor.detach().contiguous().clone() for name, tensor in plain.items()}))


def protocol_of(experiment: Any, checkpoint: CheckpointRow) -> str:
    trainer, epoch = experiment.trainer, checkpoint.epoch + 1
    network = experiment.encoder if hasattr(experiment, "encoder") else experiment.model
    return (
        f"{network.name} trained with {experiment.optimizer.name} and the {experiment.scheduler.name}"
        f" schedule, batch {trainer.batch_size}, seed {experiment.seed}; the checkpoint is that of epoch {epoch},"
        f" the best by {checkpoint.metric or 'the validation'}."
    )


def shareable(experiment: Any) -> str:
    """The experiment's YAML without this computer's folders."""
    tree = config.to_tree(experiment)
    tree["data"] |= {key: None for key in ("path", "outcomes", "test_path") if key in tree["data"]}
    if "encoder" in tree:
        tree["encoder"]["checkpoint"] = None
    for key, value in tree["task"].items():
        if key.startswith("start_") and value:
            tree["task"][key] = Path(value).name
    return config.to_yaml(config.parse(tree))
