from __future__ import annotations

from pathlib import Path

import pytest

from core import config
from core.errors import ConfigError


def test_experiment_survives_yaml() -> None:
    experiment = config.parse({"name": "a", "optimizer": {"name": "sgd", "lr": 0.1}})
    assert config.parse(config.read_yaml(config.to_yaml(experiment))) == experiment


def test_unknown_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("trainer: {epoch: 5}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: trainer\.epoch is not a known key"):
        config.load(file)


def test_override_reads_exponents_as_numbers_and_swaps_whole_parts(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("optimizer: {name: adamw, amsgrad: true}\n")
    experiment = config.load(file, ["optimizer.name=sgd", "optimizer.lr=1e-3", "model.channels=[8, 16, 32]"])
    assert (experiment.optimizer.name, experiment.optimizer.lr, experiment.model.channels) == ("sgd", 1e-3, [8, 16, 32])


def test_a_part_is_named_before_its_keys_are_set_in_whatever_order_they_are_given(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("optimizer: {name: adamw, amsgrad: true}\n")
    for part in ("optimizer.name=sgd", "optimizer=sgd"):
        experiment = config.load(file, ["optimizer.momentum=0.5", part])
        assert (experiment.optimizer.name, experiment.optimizer.momentum) == ("sgd", 0.5)


@pytest.mark.parametrize(
    "override", ["trainer", "=5", "name.first=x", "trainer.epochs=[", "trainer.epochs=0", "a.b=1", f"name={'[' * 3000}"]
)
def test_bad_override_is_refused(tmp_path: Path, override: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("name: plain\n")
    with pytest.raises(ConfigError):
        config.load(file, [override])


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "a: [",
        "x: !!python/object/apply:os.system ['true']",
        "a: &a [1]\nb: *a",
        "\x00",
        "name: .nan",
        "- " * 5000,
        "seed: 1\nseed: 2",
        "trainer: {epochs: 3, epochs: 5}",
        "trainer: {epochs: 3}\ntrainer: {batch_size: 4}",
    ],
)
def test_hostile_or_broken_yaml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        config.load(file)


@pytest.mark.parametrize(("text", "name"), [("2024", "2024"), ("'1e5'", "1e5"), ("007", "007")])
def test_a_name_may_look_like_a_number(text: str, name: str) -> None:
    assert config.load("hippocampus", [f"name={text}"]).name == name


def test_a_path_may_begin_with_the_home_folder() -> None:
    tree = {"data": {"path": "~/scans"}, "name": "plain"}
    assert config.parse(tree).data.path == Path.home() / "scans"
    assert config.load("hippocampus", ["data.path=~/scans"]).data.path == Path.home() / "scans"


def test_a_folder_may_be_named_by_a_year() -> None:
    assert config.load("hippocampus", ["data.path=2024"]).data.path == Path("2024")


def test_a_block_that_is_none_is_told_so() -> None:
    assert config.problems({"trainer": "fast"}) == {"trainer": "must be a block of keys"}


@pytest.mark.parametrize("task", ["segmentation", "volume_pretraining"])
def test_a_patch_without_voxels_and_voxels_without_length_are_refused(task: str) -> None:
    tree = {"task": task, "data": {"patch_size": [0, 16, 16], "spacing_mm": [0.0, 1.0, 1.0]}}
    found = config.problems(tree)
    assert found == {"data.patch_size.0": "must be 1 or more", "data.spacing_mm.0": "must be 0.01 or more"}


def test_problems_are_listed_by_dotted_key() -> None:
    found = config.problems({"optimizer": {"name": "adamw", "lr": -1}, "colour": 1})
    assert set(found) == {"optimizer.lr", "colour"}


@pytest.mark.parametrize("name", sorted(config.presets()))
def test_every_preset_is_a_valid_experiment(name: str) -> None:
    config.load(name)


def test_a_part_is_named_alone_or_by_its_settings_where_it_is_the_usual_one() -> None:
    experiment = config.parse(
        {"model": {"channels": [4, 8, 8]}, "optimizer": "sgd", "task": {"loss": {"ce_weight": 2}}}
    )
    assert (experiment.model.name, experiment.optimizer.name) == ("unet", "sgd")
    assert (experiment.task.loss.name, experiment.task.loss.ce_weight) == ("dice_ce", 2)
    with pytest.raises(ConfigError, match=r"model\.width is not a known key"):
        config.parse({"model": {"width": 4}})
    with pytest.raises(ConfigError, match="model must be one of"):
        config.parse({"model": "unett"})
