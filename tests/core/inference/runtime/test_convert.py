"""A package's graph answers as torch does, and holds no second copy of the weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from core import registry
from core.inference.network import load_network
from core.inference.package import ModelPackage
from core.inference.runtime import choice, convert, graph, load
from core.inference.runtime.convert import TOLERANCE, prepare
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import probabilities
from core.registry import Part

pytest.importorskip("openvino")
MakeUnet = Callable[..., ModelPackage]


def image(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).normal(size=(1, *shape)).astype(np.float32)


@pytest.mark.parametrize(("half", "more"), [(True, {}), (False, {"norm": "batch", "residual": True})])
def test_a_graph_answers_as_torch_does_whatever_the_window(make_unet: MakeUnet, half: bool, more: dict[str, Any]):
    package = make_unet(half=half, network={"name": "unet", "channels": [4, 8, 8], **more})
    assert prepare(package) is not None
    ours, theirs = load(package, "cpu"), TorchRuntime(load_network(package))
    assert type(ours).__name__ == "OpenVinoRuntime"
    for shape in ((16, 24, 16), (20, 16, 28), (32, 32, 32)):
        assert np.abs(ours(image(*shape)) - theirs(image(*shape))).max() < TOLERANCE


@pytest.mark.parametrize("half", [False, True])
def test_a_graph_holds_no_second_copy_of_the_weights(make_unet: MakeUnet, half: bool):
    package = make_unet(half=half)
    path = prepare(package)
    assert path is not None
    weights = package.read_weights()
    assert len(graph.read(path).constants) < 0.25 * len(weights)
    assert b'element_type="f16"' in graph.read(path).xml or not half


class PlaceConfig(Part):
    """A convolution whose answer also depends on a table of the size that it was traced with."""

    name: Literal["place"] = "place"

    def build(self, in_channels: int, out_channels: int) -> Any:
        import torch

        class Place(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = torch.nn.Conv3d(in_channels, out_channels, 3, padding=1)

            def forward(self, image: Any) -> Any:
                ramp = torch.linspace(-1, 1, int(image.shape[2])).reshape(1, 1, -1, 1, 1)
                return self.conv(image + ramp)

        return Place()


class UntraceableConfig(Part):
    """A network that takes different ways for different images, which no graph of one trace can tell."""

    name: Literal["untraceable"] = "untraceable"

    def build(self, in_channels: int, out_channels: int) -> Any:
        import torch

        class Untraceable(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = torch.nn.Conv3d(in_channels, out_channels, 1)
                self.calls = 0

            def forward(self, image: Any) -> Any:
                self.calls += 1
                return self.conv(image) * self.calls

        return Untraceable()


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (PlaceConfig, UntraceableConfig):
        monkeypatch.setitem(registry._parts["model"], config.model_fields["name"].default, config)


def test_a_network_that_takes_one_size_only_is_given_windows_of_that_size(make_unet: MakeUnet):
    package = make_unet(network={"name": "place"})
    assert prepare(package) is not None
    ours, theirs = load(package, "cpu"), TorchRuntime(load_network(package))
    assert ours.window == (16, 24, 16)
    assert ours.window != theirs.window
    assert np.abs(ours(image(16, 24, 16)) - theirs(image(16, 24, 16))).max() < TOLERANCE
    found = probabilities(ours, image(18, 20, 16), patch=(16, 24, 16))
    assert found.shape == (3, 18, 20, 16)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-4)


def test_a_network_that_the_graph_does_not_answer_for_stays_with_torch(make_unet: MakeUnet):
    package = make_unet(network={"name": "untraceable"})
    assert prepare(package) is None
    assert type(load(package, "cpu")).__name__ == "TorchRuntime"


def test_a_process_of_its_own_makes_the_graph_of_a_folder(make_unet: MakeUnet, monkeypatch: pytest.MonkeyPatch):
    package = make_unet()
    monkeypatch.setattr("os.nice", lambda _: 0, raising=False)
    monkeypatch.setattr(sys, "argv", ["convert", str(package.folder)])
    assert choice.lacks_graph(package)
    assert convert.main() == 0
    assert not choice.lacks_graph(package)
    monkeypatch.setattr(sys, "argv", ["convert", str(package.folder / "absent")])
    assert convert.main() == 2
