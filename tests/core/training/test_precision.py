"""The precision is chosen by timing, and never tried where a device does not support it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.catalog import Catalog
from core.training import precision
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment


class Module(nn.Module):
    """A step that counts in what precision it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.BatchNorm1d(4)
        self.layer = nn.Linear(4, 4)

    def training_step(self, batch: Any, _index: int) -> torch.Tensor:
        out: torch.Tensor = self.layer(self.network(batch["image"]))
        SEEN.append(out.dtype)
        return out.float().square().mean()


SEEN: list[torch.dtype] = []


def test_nothing_but_32_bits_is_tried_on_a_cpu_without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    SEEN.clear()
    assert precision.probe(Module(), iter([]), "cpu") == ("32", {}) and not SEEN


def test_a_probe_times_each_precision_and_leaves_the_module_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "candidates", lambda _device: ["bf16-mixed"])
    SEEN.clear()
    module = Module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    chosen, seconds = precision.probe(module, [{"image": torch.ones(2, 4), "case": ["a", "b"]}], "cpu")
    assert set(SEEN) == {torch.float32, torch.bfloat16} and set(seconds) == {"32", "bf16-mixed"}
    assert chosen == precision.quickest(seconds) and chosen in precision.described(chosen, seconds)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_run_tells_the_precision_it_took(tmp_path: Path) -> None:
    run = execute(prepare_run(tiny_experiment(make_dataset(tmp_path / "data"), epochs=1, precision="auto")))
    with Catalog() as catalog:
        assert any(event.message.startswith("Precision ") for event in catalog.events(run.id))


def test_a_run_goes_on_in_the_precision_it_was_begun_in(tmp_path: Path) -> None:
    assert precision.remembered(tmp_path, "cpu") == "auto"
    precision.remember(tmp_path, "cpu", "bf16-mixed")
    assert precision.remembered(tmp_path, "cpu") == "bf16-mixed" and precision.remembered(tmp_path, "cuda") == "auto"
    (tmp_path / precision.FILE).write_text('{"device": "cpu", "precision": "4"}')
    assert precision.remembered(tmp_path, "cpu") == "auto"
