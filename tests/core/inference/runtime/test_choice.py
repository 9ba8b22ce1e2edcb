"""Which runtime predicts, and what it never imports, sends or reads."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.inference.archive import export_package, import_package
from core.inference.package import GRAPH, ModelPackage
from core.inference.runtime import choice, graph, lacks_graph, load, on_openvino
from core.inference.runtime.convert import prepare
from core.inference.runtime.on_openvino import settings
from core.paths import home
from tests.core.making import ball_case, write_nifti

pytest.importorskip("openvino")
MakeUnet = Callable[..., ModelPackage]
CHECKOUT = Path(__file__).resolve().parents[4]


def kind(package: ModelPackage) -> str:
    return type(load(package, "cpu")).__name__


def test_a_graph_takes_the_place_of_torch_as_soon_as_it_is_made(make_unet: MakeUnet):
    package = make_unet()
    assert kind(package) == "TorchRuntime"
    prepare(package)
    assert kind(package) == "OpenVinoRuntime"
    assert load(package, "cpu") is load(package, "cpu")


def test_without_openvino_torch_predicts_as_before(make_unet: MakeUnet, monkeypatch: pytest.MonkeyPatch):
    package = make_unet()
    prepare(package)
    monkeypatch.setattr(choice, "has_openvino", lambda: False)
    assert kind(package) == "TorchRuntime"
    assert not lacks_graph(package)


def test_an_openvino_that_does_not_load_leaves_it_to_torch(
    make_unet: MakeUnet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    package = make_unet()
    prepare(package)

    def broken() -> None:
        raise ImportError("a library is missing")

    monkeypatch.setattr(on_openvino, "openvino", broken)
    assert kind(package) == "TorchRuntime"
    assert "a library is missing" in caplog.text


@pytest.mark.parametrize("content", [b"", b"PK no zip", b"<net>"])
def test_a_damaged_graph_leaves_it_to_torch(make_unet: MakeUnet, content: bytes, caplog: pytest.LogCaptureFixture):
    package = make_unet()
    graph.cache_path(package).parent.mkdir(parents=True)
    graph.cache_path(package).write_bytes(content)
    assert kind(package) == "TorchRuntime"
    assert "unusable" in caplog.text


def test_a_graph_whose_layers_are_nonsense_leaves_it_to_torch(make_unet: MakeUnet):
    package = make_unet()
    graph.cache_path(package).parent.mkdir(parents=True)
    graph.cache_path(package).write_bytes(graph.Graph(b"<net name='x'></net>", b"").pack())
    assert kind(package) == "TorchRuntime"


def with_shipped(package: ModelPackage, *, bundled: bool) -> ModelPackage:
    """The package with its graph in its folder and none in the cache, as it would come with the program."""
    made = prepare(package)
    assert made is not None
    content = made.read_bytes()
    made.unlink()
    (package.folder / GRAPH).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return replace(package, bundled=bundled, manifest=package.manifest.model_copy(update={"graph_sha256": sha256}))


def test_only_a_package_of_the_program_brings_its_own_graph(make_unet: MakeUnet):
    package = make_unet()
    assert graph.find(with_shipped(package, bundled=True)) == package.folder / GRAPH
    assert graph.find(with_shipped(package, bundled=False)) is None


def test_a_changed_graph_in_the_program_is_not_read(make_unet: MakeUnet):
    package = with_shipped(make_unet(), bundled=True)
    (package.folder / GRAPH).write_bytes(b"other")
    assert graph.find(package) is None


def test_a_graph_does_not_travel_with_a_package(make_unet: MakeUnet, tmp_path: Path):
    folder = tmp_path / "elsewhere"
    package = with_shipped(make_unet(folder), bundled=False)
    for source in (folder, export_package(package, tmp_path / "package.zip")):
        taken = import_package(source)
        assert not (taken.folder / GRAPH).exists()
        assert graph.find(taken) is None
        for file in taken.folder.iterdir():
            file.unlink()
        taken.folder.rmdir()


def test_other_weights_do_not_get_the_graph(make_unet: MakeUnet):
    package = make_unet()
    prepare(package)
    other = replace(package, manifest=package.manifest.model_copy(update={"sha256": "0" * 64}))
    assert graph.find(package) is not None
    assert graph.find(other) is None


def test_beside_a_window_a_core_is_left_free(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert "INFERENCE_NUM_THREADS" not in settings()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert settings()["INFERENCE_NUM_THREADS"] == 3


WATCHED = """
import json, os, sys
seen = []
TALK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "os.fork", "os.posix_spawn", "subprocess.Popen")
sys.addaudithook(lambda name, arguments: seen.append(name) if name in TALK else None)
sys.path.insert(0, os.getcwd())
scan, out = sys.argv[1:]
from core.cli import main
code = main(["predict", scan, "--model", "small", "--out", out])
loaded = sorted({"torch", "monai", "lightning", "openvino"} & set(sys.modules))
print(json.dumps({"code": code, "seen": seen, "loaded": loaded}))
"""


def test_a_prediction_on_a_cpu_imports_no_torch_and_talks_to_nobody(make_unet: MakeUnet, tmp_path: Path):
    prepare(make_unet())
    person = tmp_path / "person"  # openvino's telemetry would leave its files there
    person.mkdir()
    scan = write_nifti(tmp_path / "ball.nii.gz", np.asarray(ball_case(1, 20)[0]))
    settings = {name: value for name, value in os.environ.items() if name != "CI"}  # it is silent on build servers
    settings |= {"ISOCENTER_HOME": str(home()), "HOME": str(person), "USERPROFILE": str(person)}
    settings |= {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(scan), str(tmp_path / "out")],
        cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"code": 0, "seen": [], "loaded": ["openvino"]}
    assert (tmp_path / "out" / "ball_seg.nii.gz").is_file()
    assert list(person.iterdir()) == []
