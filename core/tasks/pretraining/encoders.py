"""Files of encoders: weights with the coding they were trained on, and what they were trained from.

An `encoder.safetensors` says all of it in its own header, so that the one file is enough; `encoder.yaml` beside it is
for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from core import config, registry
from core.catalog import Catalog
from core.data.stays.coding import StayCoding
from core.data.stays.series import Stays
from core.errors import CatalogError, ConfigError, IsocenterError, ModelError
from core.files import replacing, write_text
from core.kept import EXPERIMENT, experiment_in
from core.models.archives import AGAIN, DAMAGED
from core.registry import Part

if TYPE_CHECKING:
    from torch import Tensor


Array = np.ndarray[Any, Any]
ENCODER, ENCODER_CARD = "encoder.safetensors", "encoder.yaml"
SEEN = "pretraining.stays"
SEEN_FILE = "seen.npy"
MAX_BYTES = 2 * 1024**3
MAX_HEADER = 8 * 2**20
PREFIX = "encoder."


class EncoderCard(Part):
    """What an encoder is. stays: how many it learned from; data: their name."""

    format: int = Field(1, ge=1, le=1)
    encoder: dict[str, Any]
    coding: StayCoding
    objective: str = Field("", max_length=100)
    data: str = Field("", max_length=400)
    stays: int = Field(0, ge=0)
    run: str = Field("", max_length=200)


@dataclass(frozen=True, eq=False)
class Origin:
    """An encoder to begin with. card: None where nothing is known but the weights.

    seen: sorted fingerprints of the stays it learned from (core.data.stays.series); None: not known.
    """

    title: str
    where: Path
    weights: dict[str, Tensor]
    card: EncoderCard | None
    seen: Array | None

    def overlap(self, stays: Stays) -> Array:
        """Which of some stays it has learned from, (stays,) bool; those without measurements never count."""
        found = stays.fingerprints()
        if self.seen is None:
            return np.zeros(len(stays), bool)
        return np.isin(found, self.seen) & (found != 0)


def write_encoder(folder: Path, weights: Mapping[str, Tensor], card: EncoderCard, seen: Array) -> Path:
    """Write `encoder.safetensors` and `encoder.yaml`; returns the former."""
    import torch
    from safetensors.torch import save_file

    text = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=200)
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    tensors[SEEN] = torch.from_numpy(np.asarray(seen, np.uint64).view(np.int64).copy())
    path = folder / ENCODER
    with replacing(path) as part:
        save_file(tensors, part, metadata={"isocenter": text})
    write_text(folder / ENCODER_CARD, text)
    return path


def origin_of(text: str) -> Origin:
    """The encoder that a run's id or name, or a file stands for.

    Raises ModelError where there is none, or the file is damaged, too large or holds more than plain data.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() in (".safetensors", ".pt", ".pth", ".ckpt"):
        return _of_file(path.absolute())
    if path.is_dir() and (path / ENCODER).is_file():
        return _of_file((path / ENCODER).absolute())
    with Catalog() as catalog:
        try:
            run = catalog.run(text)
        except CatalogError:
            raise ModelError(
                f"{text!r} is no run and no file of weights", where="encoder.checkpoint",
                mend="Give a pretraining run's id or name, or a .safetensors, .pt or .ckpt file.",
            ) from None  # fmt: skip
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
    if run.task not in ("pretraining", "finetuning"):
        raise ModelError(f"{run.name} is a run of {run.task}, which has no encoder of stays", where=run.id)
    if checkpoint is None:
        raise ModelError("the run has no checkpoint", where=run.name, mend="Let it train for at least one epoch.")
    return _of_checkpoint(checkpoint.path, f"the run {run.name}")


def card_of_run(folder: Path) -> EncoderCard | None:
    """What a run's folder says of its encoder; None where it is none."""
    from core.tasks.pretraining.preparing import CODING, load_coding

    if not (folder / CODING).is_file() or not (folder / EXPERIMENT).is_file():
        return None
    experiment = experiment_in(folder)
    seen = seen_of_run(folder)
    return EncoderCard(
        encoder=experiment.encoder.settings(), coding=load_coding(folder),
        objective=experiment.ssl.name if experiment.task.name == "pretraining" else experiment.task.name,
        data=experiment.data.path.name if experiment.data.path else "", stays=0 if seen is None else len(seen),
        run=folder.name,
    )  # fmt: skip


def seen_of_run(folder: Path) -> Array | None:
    """The fingerprints of the stays that a run's encoder learned from, sorted; None where they are not known."""
    try:
        return np.load(folder / SEEN_FILE, allow_pickle=False)
    except (OSError, ValueError):
        return None


def keep_marks(path: Path, marks: Array) -> None:
    """Write fingerprints of stays, sorted and each once."""
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, np.unique(marks[marks != 0]))


def _of_checkpoint(path: Path, title: str) -> Origin:
    from core.training.checkpoints import load_weights

    return _origin(title, path, load_weights(path), *_beside(path))


def _beside(path: Path) -> tuple[EncoderCard | None, Array | None]:
    """What the folder of a checkpoint tells: that of a run is one above."""
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    try:
        return card_of_run(folder), seen_of_run(folder)
    except (IsocenterError, OSError, ValueError):
        return None, None


def _of_file(path: Path) -> Origin:
    title = f"the file {path.name}"
    if not path.is_file():
        raise ModelError(
            "there is no such file of weights", where=path,
            mend="Give a pretraining run's id or name, or a .safetensors, .pt or .ckpt file.",
        )  # fmt: skip
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise ModelError(f"the weights cannot be read ({error.strerror or error})", where=path) from None
    if size > MAX_BYTES:
        raise ModelError(f"the weights are larger than {MAX_BYTES // 1024**3} GB", where=path)
    if path.suffix.lower() == ".safetensors":
        tensors, card = _safetensors(path)
        seen = tensors.pop(SEEN, None)
        known = None if seen is None else np.sort(seen.numpy().view(np.uint64))
        return _origin(title, path, tensors, card, known)
    from core.inference.importing.checkpoint import read_checkpoint
    from core.inference.importing.checkpoint import tensors as plain_tensors

    tree = read_checkpoint(path.read_bytes(), path)
    state = tree.get("state_dict", tree) if isinstance(tree, dict) else tree
    return _origin(title, path, plain_tensors(state, path), *_beside(path))


def _safetensors(path: Path) -> tuple[dict[str, Tensor], EncoderCard | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if not MAX_HEADER >= length > 0:
            raise ModelError(f"the weights are not readable ({DAMAGED}, or no safetensors)", where=path, mend=AGAIN)
        with safe_open(path, "pt") as opened:
            text = (opened.metadata() or {}).get("isocenter", "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, KeyError, OverflowError, OSError, AttributeError):
        # What the reader says of its own format helps nobody who did not write it.
        raise ModelError(f"the weights are not readable ({DAMAGED})", where=path, mend=AGAIN) from None
    if not text and (path.with_suffix(".yaml")).is_file():
        text = path.with_suffix(".yaml").read_text(encoding="utf-8", errors="replace")[: config.MAX_CONFIG_BYTES]
    if not text:
        return tensors, None
    try:
        return tensors, EncoderCard.model_validate(config.read_yaml(text))
    except (ValidationError, yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).strip().splitlines()[0]
        if isinstance(error, ValidationError):
            wrong = error.errors()[0]
            first = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
        raise ModelError(
            f"what the file says of itself is not valid ({first[:200]})", where=path,
            mend="Give the encoder.safetensors as its pretraining wrote it.",
        ) from None  # fmt: skip


def _origin(title: str, path: Path, tensors: dict[str, Tensor], card: EncoderCard | None, seen: Array | None) -> Origin:
    """The encoder's own tensors, whatever stands around them in the file. Raises ModelError where there is none."""
    import torch

    for head in ("network.encoders.0.", "encoders.0.", "network.encoder.", PREFIX):
        found = {name.removeprefix(head): value for name, value in tensors.items() if name.startswith(head)}
        if found:
            break
    else:
        found = dict(tensors)
    if not found:
        raise ModelError("the file holds no encoder", where=path, mend="Give the weights of a pretraining.")
    for name, value in found.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(
                f"its weights {name} hold values that are not numbers", where=path,
                mend="Begin with another checkpoint of that training.",
            )  # fmt: skip
    return Origin(title, path, found, card, seen)


def encoder_config(tree: dict[str, Any]) -> Any:
    """The registered encoder of plain settings. Raises ConfigError where there is no such."""
    try:
        return registry.made(tree, "encoder")
    except ValidationError as error:
        raise ConfigError(f"the encoder's settings are not valid ({error.errors()[0]['msg']})") from None


def fill(encoder: Any, origin: Origin) -> None:
    """Give an encoder the origin's weights. Raises ModelError with the names of what differs."""
    wanted = encoder.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in origin.weights]
    wrong += [f"{name} is not part of the encoder" for name in origin.weights if name not in wanted]
    wrong += [
        f"{name} is {_shape(value)} there and {_shape(wanted[name])} here"
        for name, value in origin.weights.items() if name in wanted and wanted[name].shape != value.shape
    ]  # fmt: skip
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise ModelError(
            f"the weights of {origin.title} do not fit the encoder: {'; '.join(wrong[:4])}{more}", where=origin.where,
            mend="Set the encoder as it was pretrained, or begin with another one.",
        )  # fmt: skip
    encoder.load_state_dict({name: value.to(wanted[name].dtype) for name, value in origin.weights.items()})


def _shape(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
