"""Checkpoints that are never torn: written beside their place, flushed, renamed, and only then put in the catalog."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from torch import Tensor

from core.catalog import Catalog
from core.errors import ModelError, TrainingFailed
from core.files import replacing
from core.models.archives import DAMAGED, archive_fault

NETWORK_PREFIX = "network."
MAX_BYTES = 64 * 1024**3


class _Hashing:
    """A file that hashes what is written. torch's zip writer only appends, so the hash is the file's."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash, self.size = file, hashlib.sha256(), 0
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        self.hash.update(content)
        self.size += len(content)
        try:
            return self.file.write(content)
        except OSError as error:  # torch would tell of a full disk only as a wrong position in its archive
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


class CrashSafeCheckpoints(CheckpointIO):
    """Lightning's checkpoint files of one run; the file's stem, `best` or `last`, is its kind in the catalog.

    network: the run's, which a checkpoint that is gone on from has to fit.
    """

    def __init__(self, run_id: str, monitor: str, network: torch.nn.Module | None = None) -> None:
        self.run_id, self.monitor, self.network = run_id, monitor, network

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        _require_numbers(checkpoint, self.run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, open(part, "wb") as file:
            hashing = _Hashing(file)
            try:
                torch.save(checkpoint, hashing)
            except RuntimeError:
                if hashing.error is None:
                    raise
                raise hashing.error from None
        value = checkpoint.get("metrics", {}).get(self.monitor)
        epoch = int(checkpoint["epoch"])
        with Catalog() as catalog:
            catalog.set_checkpoint(
                self.run_id, path.stem, path=path, sha256=hashing.hash.hexdigest(), size=hashing.size,
                epoch=epoch, step=int(checkpoint["global_step"]),
                metric=self.monitor if value is not None else None, value=value,
            )  # fmt: skip
            if path.stem == "best" and value is not None:
                catalog.add_event(self.run_id, "info", f"Epoch {epoch + 1}: best {self.monitor} {value:.4f}, saved.")

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        content = load(Path(path))
        if self.network is not None:
            _require_fit(content["state_dict"], self.network, Path(path))
        return content

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _require_fit(given: dict[str, Any], network: torch.nn.Module, path: Path) -> None:
    """Refuse a checkpoint of another network by name, before anything of it is taken."""
    wanted = {NETWORK_PREFIX + name: tensor.shape for name, tensor in network.state_dict().items()}
    held = {name: tensor.shape for name, tensor in given.items() if name.startswith(NETWORK_PREFIX)}
    for name in sorted(wanted.keys() | held.keys()):
        if wanted.get(name) != held.get(name):
            raise ModelError(
                f"the checkpoint is of another network ({name.removeprefix(NETWORK_PREFIX)})", where=path,
                mend="Train with the settings that it was made with, or start a new run.",
            )  # fmt: skip


def _require_numbers(checkpoint: dict[str, Any], run_id: str) -> None:
    """Refuse weights that are no numbers: they would take the place of the last good ones."""
    for weights in (checkpoint["state_dict"], checkpoint.get("current_model_state") or {}):
        for value in weights.values():
            if isinstance(value, Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
                raise TrainingFailed(
                    f"the weights are no numbers any more in epoch {int(checkpoint['epoch']) + 1}",
                    where=run_id,
                    mend="The checkpoints from before are kept. Lower optimizer.lr, or use trainer.precision=32.",
                )


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are taken from it, so a hostile one runs no code."""
    mend = "Use another checkpoint of the run."
    try:
        if fault := archive_fault(path, MAX_BYTES):
            raise ModelError(f"not a readable checkpoint ({fault})", where=path, mend=mend)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError("the checkpoint is gone", where=path) from None
    except ModelError:
        raise
    except Exception as error:  # torch raises many types for a damaged or hostile file
        raise ModelError(f"not a readable checkpoint ({DAMAGED}, or none)", where=path, mend=mend) from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise ModelError("this file is no training checkpoint", where=path)
    return content


def load_weights(path: Path) -> dict[str, Tensor]:
    """The network's (averaged) weights of a checkpoint, by name."""
    weights = {
        name.removeprefix(NETWORK_PREFIX): value
        for name, value in load(path)["state_dict"].items()
        if name.startswith(NETWORK_PREFIX) and isinstance(value, Tensor)
    }
    if not weights:
        raise ModelError("the checkpoint holds no network", where=path)
    return weights
