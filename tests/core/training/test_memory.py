"""A step that does not fit into memory is tried again smaller, and what does not fit at all fails plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core import config
from core.catalog import Catalog
from core.errors import TrainingFailed
from core.tasks.segmentation.module import SegmentationModule
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from core.training.memory import is_out_of_memory, smaller
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def with_room_for(patches: int, monkeypatch: pytest.MonkeyPatch, *, from_epoch: int = 0) -> None:
    """A machine whose memory holds so many patches."""
    step = SegmentationModule.training_step

    def limited(self: Any, batch: Any, index: int) -> Any:
        if len(batch["image"]) > patches and self.current_epoch >= from_epoch:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(self, batch, index)

    monkeypatch.setattr(SegmentationModule, "training_step", limited)


def events(run_id: str) -> str:
    with Catalog() as catalog:
        return "\n".join(event.message for event in catalog.events(run_id))


def test_a_run_goes_on_with_half_the_batch_from_its_last_checkpoint(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    with_room_for(1, monkeypatch, from_epoch=1)
    run = execute(prepare_run(tiny_experiment(dataset, epochs=3)))
    assert run.state == "finished" and run.epoch == 3
    assert "batch of 1 with the gradients of 2 steps" in events(run.id)
    checkpoint = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 6  # as many updates as with the whole batch


def test_what_fits_in_no_way_fails_with_the_last_good_weights_kept(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    with_room_for(0, monkeypatch, from_epoch=1)
    run_id = prepare_run(tiny_experiment(dataset, epochs=3))
    with pytest.raises(TrainingFailed, match="does not fit into memory"):
        execute(run_id)
    with Catalog() as catalog:
        run = catalog.run(run_id)
    assert run.state == "failed" and run.epoch == 1
    assert load_weights(run.folder / "checkpoints" / "last.ckpt")


def test_the_batch_shrinks_before_the_network_computes_twice() -> None:
    experiment = config.parse({"model": "swinunetr", "trainer": {"batch_size": 2}})
    halved, _ = smaller(experiment) or (None, "")
    assert halved.trainer.batch_size == 1 and halved.trainer.accumulate == 2
    saving, _ = smaller(halved) or (None, "")
    assert saving.model.checkpointing
    assert smaller(saving) is None


def test_a_cpu_that_cannot_allocate_is_known_and_other_errors_are_not() -> None:
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**50)
    assert is_out_of_memory(failure.value) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
