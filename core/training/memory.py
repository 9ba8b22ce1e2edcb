"""What to do when a step does not fit into memory: the same training in smaller pieces."""

from __future__ import annotations

import gc
from typing import Any

TIMES = 2  # retries of one run


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or on the CPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def smaller(experiment: Any) -> tuple[Any, str] | None:
    """The experiment with less in memory at once and what was changed, or None where nothing is left to change.

    Half a batch whose gradients are added up over twice the steps is the same update; checkpointing computes the
    forward pass twice and changes no result. Several devices still share the batch equally.
    """
    trainer, model = experiment.trainer, getattr(experiment, "model", None)
    if trainer.batch_size > 1 and trainer.batch_size % (2 * trainer.devices) == 0:
        batch, accumulate = trainer.batch_size // 2, trainer.accumulate * 2
        halved = trainer.model_copy(update={"batch_size": batch, "accumulate": accumulate})
        text = f"a batch of {batch} with the gradients of {accumulate} steps added up"
        return experiment.model_copy(update={"trainer": halved}), text
    if model is not None and getattr(model, "checkpointing", None) is False:
        saving = model.model_copy(update={"checkpointing": True})
        text = "parts of the network computed twice (model.checkpointing)"
        return experiment.model_copy(update={"model": saving}), text
    return None


def told(change: str) -> str:
    """The event that says what is done about it."""
    return f"Out of memory. Going on with {change}."


def release() -> None:
    """Give back what the failed attempt held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
