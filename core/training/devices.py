"""Which device trains, with how many threads, and which precision it gains by."""

from __future__ import annotations

import os

from core import world
from core.errors import ConfigError


def threads(*, beside_window: bool) -> int:
    """CPU threads for the network: all cores, or one less when a window has to stay quick."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores - 1, 1) if beside_window else cores


def choose(device: str, precision: str = "32") -> str:
    """The Lightning accelerator for `auto`, `cpu`, `cuda` or `mps`.

    Raises ConfigError for a device that is not there, or a precision that would be slower on it: bf16 convolutions
    without hardware support were measured about 200 times slower than float32.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if there[name])
    elif not there[device]:
        raise ConfigError(f"there is no {device} device here", mend="Use trainer.device=auto.")
    here = world.local_size()
    if here > 1 and device == "mps":
        raise ConfigError("only CUDA GPUs and CPUs are shared by several processes", mend="Use trainer.devices=1.")
    if device == "cuda" and here > torch.cuda.device_count():
        raise ConfigError(
            f"{here} devices are asked for, but there are {torch.cuda.device_count()} GPUs",
            mend=f"Use trainer.devices={torch.cuda.device_count()}.",
        )
    if device == "cpu" and precision == "16-mixed":
        raise ConfigError("16-mixed precision needs a GPU", mend="Use trainer.precision=32.")
    if device == "cpu" and precision == "bf16-mixed" and not cpu_has_bf16():
        raise ConfigError(
            "this CPU has no bf16 arithmetic, so bf16-mixed would be slower", mend="Use trainer.precision=32."
        )
    return device


def cpu_has_bf16() -> bool:
    """Whether the CPU reckons in bf16 itself. Where it does not, a single such convolution takes minutes."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
