from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import ModelError
from core.inference.network import load_network
from core.inference.package import ModelPackage, find_package, list_packages

Make = Callable[..., ModelPackage]


def change(package: ModelPackage, **changes: Any) -> Path:
    """Change keys of a package's model.yaml; None removes one."""
    path = package.folder / "model.yaml"
    tree = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in tree.items() if value is not None}))
    return package.folder


def with_weights(package: ModelPackage, content: bytes) -> ModelPackage:
    """The package with other weights, their sha256 made to fit."""
    (package.folder / "weights.safetensors").write_bytes(content)
    return ModelPackage.read(change(package, sha256=hashlib.sha256(content).hexdigest()))


def test_a_package_says_what_it_is(package: ModelPackage):
    assert (package.name, package.version, package.title) == ("bright", "1.0", "What is bright")
    assert package.summary == "Dice 0.900 on unseen volumes · CC0"
    assert package.card.startswith("# What is bright")
    assert package.plan.classes == 2


def test_simulated_training_is_said_in_the_summary(make_package: Make):
    package = make_package(training={"data": "made", "simulated": True})
    assert package.summary == "accuracy not measured · trained on simulated data"


def test_the_newest_version_is_found_by_name(make_package: Make):
    for version in ("1.9", "1.10", "1.2"):
        make_package(version=version)
    assert find_package("bright").version == "1.10"
    assert find_package("bright-1.2").version == "1.2"


def test_a_package_is_found_by_its_folder(make_package: Make, tmp_path: Path):
    make_package(folder=tmp_path / "elsewhere")
    assert find_package(tmp_path / "elsewhere").name == "bright"


def test_an_unknown_name_is_answered_with_the_known_ones(package: ModelPackage):
    with pytest.raises(ModelError, match=r"The models here: .*bright"):
        find_package("nothing")


def test_a_damaged_package_does_not_hide_the_others(make_package: Make):
    make_package()
    broken = make_package(name="broken")
    (broken.folder / "model.yaml").write_bytes(b"\x00\xff: [")
    assert [package.name for package in list_packages() if not package.bundled] == ["bright"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../../evil"},
        {"version": "1.0/../.."},
        {"network": {"name": "os.system"}},
        {"network": {"name": "bright", "_target_": "os.system"}},
        {"network": {}},
        {"plan": {"spacing_mm": [1, 1, 1], "patch_size": [100_000] * 3, "labels": [{"value": 1, "name": "a"}]}},
        {"plan": {"spacing_mm": [0, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 1, "name": "a"}]}},
        {"plan": {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": []}},
        {"sha256": "none"},
        {"sha256": None},
        {"mirror_axes": ["w"]},
        {"run_this": "rm -rf"},
        {"format": 2},
    ],
)
def test_a_manifest_that_is_wrong_is_refused(package: ModelPackage, changes: dict[str, Any]):
    with pytest.raises(ModelError):
        ModelPackage.read(change(package, **changes))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "!!python/object/apply:os.system ['true']", "a: &a [x]\nb: [*a, *a]", "[" * 5000, "x" * 2_000_000],
)
def test_yaml_that_is_no_manifest_is_refused(package: ModelPackage, text: str):
    (package.folder / "model.yaml").write_text(text)
    with pytest.raises(ModelError):
        ModelPackage.read(package.folder)


def test_changed_weights_are_refused(package: ModelPackage):
    path = package.folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="sha256"):
        load_network(package)


def test_a_pickle_as_weights_runs_nothing(package: ModelPackage, tmp_path: Path):
    marker = tmp_path / "ran"
    content = b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
    with pytest.raises(ModelError):
        load_network(with_weights(package, content))
    assert not marker.exists()


@pytest.mark.parametrize("length", [0, 2**63, 10**9])
def test_a_damaged_header_is_refused(package: ModelPackage, length: int):
    with pytest.raises(ModelError):
        load_network(with_weights(package, length.to_bytes(8, "little") + b"{}"))


@pytest.mark.parametrize("wrong", ["shape", "name", "missing", "nan", "kind"])
def test_weights_that_do_not_fit_the_network_are_refused(package: ModelPackage, wrong: str):
    import torch
    from safetensors.torch import save

    weights = {"weight": torch.zeros(2, 1, 1, 1, 1), "bias": torch.zeros(2)}
    if wrong == "shape":
        weights["weight"] = torch.zeros(2, 1, 3, 3, 3)
    elif wrong == "name":
        weights["more"] = torch.zeros(1)
    elif wrong == "missing":
        del weights["bias"]
    elif wrong == "nan":
        weights["bias"][0] = float("nan")
    else:
        weights["bias"] = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ModelError, match="do not fit"):
        load_network(with_weights(package, save(weights)))


def test_weights_stored_in_half_the_size_are_computed_in_full(package: ModelPackage):
    import torch
    from safetensors.torch import save

    half = {"weight": torch.ones(2, 1, 1, 1, 1).half(), "bias": torch.zeros(2).half()}
    network = load_network(with_weights(package, save(half)))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_a_unet_too_large_for_any_memory_is_refused_without_making_it(make_package: Make):
    package = make_package(network={"name": "unet", "channels": [100_000, 100_000, 100_000]})
    with pytest.raises(ModelError):
        load_network(package)


def test_the_facts_are_plain_values(package: ModelPackage):
    assert json.loads(json.dumps(package.as_dict()))["name"] == "bright"
