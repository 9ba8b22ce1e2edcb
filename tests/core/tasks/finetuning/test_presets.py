"""The shipped experiments on stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import config
from core.errors import ConfigError


def test_presets_are_whole_and_any_key_is_overridden() -> None:
    pretrain = config.load("physionet2012-pretrain", ["ssl=jepa", "training.epochs=3", "encoder.name=gru"])
    assert pretrain.ssl.name == "jepa" and pretrain.trainer.epochs == 3 and pretrain.encoder.name == "gru"
    finetune = config.load("physionet2012-finetune", ["encoder.checkpoint=run", "task.head=mlp", "optimizer.lr=1e-4"])
    assert finetune.task.head.name == "mlp" and finetune.encoder.checkpoint == "run" and finetune.optimizer.lr == 1e-4
    assert config.parse(config.read_yaml(config.to_yaml(finetune))) == finetune
    # The two fit each other: the test of the one is not learned from by the other.
    assert not set(finetune.data.test_parts) & set(pretrain.data.parts)


def test_training_is_another_name_of_trainer_and_not_both_at_once(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("task: pretraining\ntraining: {epochs: 7}\n")
    assert config.load(file).trainer.epochs == 7
    assert config.load(file, ["training.epochs=8"]).trainer.epochs == 8
    file.write_text("task: pretraining\ntraining: {epochs: 7}\ntrainer: {epochs: 8}\n")
    with pytest.raises(ConfigError, match="only one of them"):
        config.load(file)
