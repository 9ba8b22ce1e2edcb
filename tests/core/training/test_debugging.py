from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from core.catalog import Catalog
from core.errors import TrainingFailed
from core.training.debugging import TABLE, LayerDebugger
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment

TRAINER: Any = SimpleNamespace(current_epoch=0, precision="32-true")


def debugged(tmp_path: Path, network: nn.Module) -> tuple[LayerDebugger, Any]:
    debugger, module = LayerDebugger(tmp_path, lambda _: None), SimpleNamespace(network=network)
    debugger.on_fit_start(TRAINER, module)
    batch = {"image": torch.ones(1, 1, 4, 4, 4), "label": torch.zeros(1, 1, 4, 4, 4)}
    debugger.on_train_batch_start(TRAINER, module, batch, 0)
    return debugger, module


def a_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(1, 2, 1), nn.ReLU(), nn.Conv3d(2, 2, 1))


def test_a_run_in_debug_mode_writes_what_each_layer_gives(tmp_path: Path) -> None:
    run = execute(prepare_run(tiny_experiment(make_dataset(tmp_path / "data"), epochs=1, debug=True)))
    assert run.state == "finished"
    lines = (run.folder / TABLE).read_text().splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "lowest", "highest", "output", "MB", "weights", "MB"]
    first = next(line for line in lines if line.startswith("input_block.conv1.conv "))
    assert "2 x 4 x 16 x 16 x 16" in first and f"{2 * 4 * 16**3 * 4 / 1e6:.3f}" in first
    with Catalog() as catalog:
        told = [event.message for event in catalog.events(run.id) if event.message.startswith("Debug")]
    assert "2 x 1 x 16 x 16 x 16" in told[0] and "classes 0, 1, 2" in told[0]
    assert "input_block" in told[1] and TABLE in told[1]


def test_the_first_layer_that_gives_no_number_is_named(tmp_path: Path) -> None:
    network = a_network()
    debugged(tmp_path, network)
    with torch.no_grad():
        network[2].bias.fill_(float("nan"))
    with pytest.raises(TrainingFailed, match=r"step 1 the layer 2 \(Conv3d\).*as do its weights"):
        network(torch.ones(1, 1, 4, 4, 4))
    with torch.no_grad():
        network[2].bias.zero_()
    with pytest.raises(TrainingFailed, match=r"the layer 0 \(Conv3d\).*as does its input"):
        network(torch.full((1, 1, 4, 4, 4), float("inf")))
    with torch.no_grad():
        network[0].weight.fill_(3e38)
        network[0].bias.fill_(3e38)
    with pytest.raises(TrainingFailed, match="though its input did not"):
        network(torch.ones(1, 1, 4, 4, 4))


def test_a_gradient_that_is_no_number_is_traced_to_the_layer_nearest_the_loss(tmp_path: Path) -> None:
    network = a_network()
    debugger, module = debugged(tmp_path, network)
    out = network(torch.rand(1, 1, 4, 4, 4))
    (out.sum() * 0).sqrt().backward()  # the root's slope at 0 is infinite
    with pytest.raises(TrainingFailed, match=r"the gradient of 2\.(weight|bias) became no number"):
        debugger.on_after_backward(TRAINER, module)


def test_a_bad_loss_of_good_layers_and_bad_images_are_told_apart(tmp_path: Path) -> None:
    debugger, module = debugged(tmp_path, a_network())
    with pytest.raises(TrainingFailed, match="though every layer gave numbers"):
        debugger.on_before_backward(TRAINER, module, torch.tensor(float("nan")))
    bad = {"image": torch.full((1, 1, 2, 2, 2), float("nan")), "label": torch.zeros(1, 1, 2, 2, 2)}
    with pytest.raises(TrainingFailed, match="images hold values"):
        debugger.on_train_batch_start(TRAINER, module, bad, 3)


def test_nothing_is_looked_at_after_the_end(tmp_path: Path) -> None:
    network = a_network()
    debugger, module = debugged(tmp_path, network)
    debugger.teardown(TRAINER, module, "fit")
    assert torch.isnan(network(torch.full((1, 1, 2, 2, 2), float("nan")))).any()
