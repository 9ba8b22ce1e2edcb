"""Real training of a tiny network on made scans, through the calls that the window and the command line use."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.catalog import Catalog, RunRow
from core.data.plan import Plan, load_plan
from core.errors import ConfigError, DatasetError, IsocenterError, ModelError, TrainingFailed
from core.training import control
from core.training.checkpoints import load, load_weights
from core.training.launch import execute, prepare_run
from core.training.recorder import Recorder
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def train(dataset: Path, **trainer: Any) -> RunRow:
    return execute(prepare_run(tiny_experiment(dataset, **trainer)))


def ask_when(run_id: str, what: control.Request, key: str, count: int) -> threading.Thread:
    """Send a request once the catalog holds `count` points of a metric: from another thread, as a window would."""

    def watch() -> None:
        with Catalog() as catalog:
            done = threading.Event()
            while catalog.run(run_id).live and len(catalog.metrics(run_id, key=key)) < count:
                done.wait(0.02)
        control.request(run_id, what)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_training_fills_the_catalog_and_the_run_folder(dataset: Path) -> None:
    run = train(dataset)
    assert run.state == "finished" and run.epoch == 2
    assert set(run.summary) == {"epoch", "val/loss", "val/dice", "val/dice/Label 1", "val/dice/Label 2"}
    split = json.loads((run.folder / "split.json").read_text())
    assert len(split["train"]) == 4 and len(split["val"]) == 2
    assert isinstance(load_plan(run.folder), Plan)
    with Catalog() as catalog:
        keys = {point.key for point in catalog.metrics(run.id)}
        assert {"train/loss", "lr", "val/loss", "val/dice", "train/samples_per_s"} <= keys
        assert len(catalog.metrics(run.id, key="train/loss")) == 4
        for row in catalog.checkpoints(run.id):
            from core.files import sha256

            assert sha256(row.path) == row.sha256 and row.path.stat().st_size == row.size
        assert {row.kind for row in catalog.checkpoints(run.id)} == {"best", "last"}
        best = catalog.checkpoint(run.id, "best")
        assert best is not None and best.metric == "val/dice" and best.value == run.summary["val/dice"]
        assert any("best val/dice" in event.message for event in catalog.events(run.id))
    preview = np.load(run.folder / "previews" / "epoch_0002.npz", allow_pickle=False)
    assert preview["image"].shape == preview["truth"].shape == preview["prediction"].shape == (16, 16)
    assert not list(run.folder.rglob(".part-*"))


def test_network_learns_what_is_there_to_learn(dataset: Path) -> None:
    from core import config

    tree = config.to_tree(tiny_experiment(dataset, epochs=40, validate_every=40, ema=0.9, patches_per_case=4))
    tree["optimizer"]["lr"], tree["model"]["channels"] = 5e-3, [8, 16, 16]
    run = execute(prepare_run(config.parse(tree)))
    assert run.summary["val/dice"] > 0.8


def test_same_seed_trains_the_same_weights(dataset: Path) -> None:
    first, second = (load_weights(train(dataset).folder / "checkpoints" / "last.ckpt") for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    whole = train(dataset, epochs=4)
    run_id = prepare_run(tiny_experiment(dataset, epochs=4))
    with monkeypatch.context() as patch:
        end = Recorder.on_train_epoch_end

        def stop_after_two(self: Recorder, trainer: Any, module: Any) -> None:
            end(self, trainer, module)
            if trainer.current_epoch == 1:
                control.request(run_id, "stop")

        patch.setattr(Recorder, "on_train_epoch_end", stop_after_two)
        stopped = execute(run_id)
    assert stopped.state == "stopped" and stopped.epoch == 2
    resumed = execute(run_id, resume=True)
    assert resumed.state == "finished" and resumed.epoch == 4
    first, second = (load_weights(run.folder / "checkpoints" / "last.ckpt") for run in (whole, stopped))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_steps_that_a_resumed_run_does_again_stand_once_in_its_metrics(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    run_id = prepare_run(tiny_experiment(dataset, epochs=4))
    with monkeypatch.context() as patch:
        start = Recorder.on_train_batch_end

        def stop_within_the_third(self: Recorder, trainer: Any, *more: Any) -> None:
            start(self, trainer, *more)
            if trainer.current_epoch == 2:
                control.request(run_id, "stop")

        patch.setattr(Recorder, "on_train_batch_end", stop_within_the_third)
        execute(run_id)
    with Catalog() as catalog:
        assert max(point.epoch for point in catalog.metrics(run_id)) == 2
        execute(run_id, resume=True)
        for key in ("train/loss", "val/dice", "lr"):
            steps = [point.step for point in catalog.metrics(run_id, key=key)]
            assert steps == sorted(set(steps)) and steps[-1] == 8
        assert [p.epoch for p in catalog.metrics(run_id, key="val/dice")] == [0, 1, 2, 3]


def test_a_checkpoint_of_another_network_is_named_before_training_goes_on(dataset: Path) -> None:
    from core import config

    run = train(dataset)
    tree = config.to_tree(tiny_experiment(dataset))
    tree["model"]["channels"] = [6, 8, 8]
    with Catalog() as catalog:
        catalog.update_run(run.id, config=config.to_yaml(config.parse(tree)), state="stopped")
        checkpoint = catalog.checkpoint(run.id, "last")
        assert checkpoint is not None
        catalog.add_metrics(run.id, [("train/loss", checkpoint.step + 1, 9, 0.5, 0.0)])  # beyond the checkpoint
        before = len(catalog.metrics(run.id))
    with pytest.raises(ModelError, match="checkpoint is of another network"):
        execute(run.id, resume=True)
    with Catalog() as catalog:
        assert catalog.run(run.id).state == "failed" and len(catalog.metrics(run.id)) == before


def test_stop_in_the_first_epoch_keeps_a_checkpoint(dataset: Path) -> None:
    run_id = prepare_run(tiny_experiment(dataset, epochs=500))
    watcher = ask_when(run_id, "stop", "train/loss", 1)
    run = execute(run_id)
    watcher.join()
    assert run.state == "stopped"
    assert load_weights(run.folder / "checkpoints" / "last.ckpt")


def test_paused_run_goes_on_when_asked(dataset: Path) -> None:
    run_id = prepare_run(tiny_experiment(dataset, epochs=500))
    states: list[str] = []

    def resume_when_paused() -> None:
        with Catalog() as catalog:
            wait = threading.Event()
            while catalog.run(run_id).state in ("queued", "running"):
                wait.wait(0.02)
            states.append(catalog.run(run_id).state)
            paused_at = len(catalog.metrics(run_id, key="train/loss"))
            control.request(run_id, "resume")
            while catalog.run(run_id).live and len(catalog.metrics(run_id, key="train/loss")) < paused_at + 2:
                wait.wait(0.02)
            states.append(catalog.run(run_id).state)
        control.request(run_id, "stop")

    watcher = threading.Thread(target=resume_when_paused, daemon=True)
    pauser = ask_when(run_id, "pause", "train/loss", 1)
    watcher.start()
    run = execute(run_id)
    pauser.join()
    watcher.join()
    assert states == ["paused", "running"] and run.state == "stopped"


def test_discarded_run_leaves_nothing(dataset: Path) -> None:
    run_id = prepare_run(tiny_experiment(dataset, epochs=500))
    watcher = ask_when(run_id, "discard", "train/loss", 1)
    run = execute(run_id)
    watcher.join()
    assert not run.folder.exists()
    with Catalog() as catalog:
        assert catalog.runs() == []


def test_nan_loss_ends_the_run_and_keeps_the_last_good_weights(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.tasks.segmentation.module import SegmentationModule

    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    step = SegmentationModule.training_step

    def spoil(self: Any, batch: Any, index: int) -> Any:
        return step(self, batch, index) * (float("nan") if self.current_epoch == 2 else 1.0)

    monkeypatch.setattr(SegmentationModule, "training_step", spoil)
    run_id = prepare_run(tiny_experiment(dataset, epochs=5))
    with pytest.raises(TrainingFailed, match="loss became nan in epoch 3"):
        execute(run_id)
    with Catalog() as catalog:
        run = catalog.run(run_id)
    assert run.state == "failed" and run.error is not None
    weights = load_weights(run.folder / "checkpoints" / "last.ckpt")
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_weights_that_are_no_numbers_never_take_the_place_of_good_ones(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.tasks.segmentation.module import SegmentationModule

    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)

    def spoil(self: Any, _outputs: Any, _batch: Any, index: int) -> None:
        if self.current_epoch == 2 and index == 1:  # an epoch's last update broke, after its loss was a number
            for weight in self.network.parameters():
                weight.data.fill_(float("nan"))

    monkeypatch.setattr(SegmentationModule, "on_train_batch_end", spoil)
    run_id = prepare_run(tiny_experiment(dataset, epochs=5, validate_every=2, ema=0))
    with pytest.raises(TrainingFailed, match="no numbers any more in epoch 3"):
        execute(run_id)
    with Catalog() as catalog:
        run = catalog.run(run_id)
    assert run.state == "failed"
    for kind in ("best", "last"):
        weights = load_weights(run.folder / "checkpoints" / f"{kind}.ckpt")
        assert all(torch.isfinite(value).all() for value in weights.values())


def test_time_limit_ends_a_run_as_finished(dataset: Path) -> None:
    run = train(dataset, epochs=100_000, max_minutes=0.03, validate_every=1000)
    assert run.state == "finished" and 0 < run.epoch < 100_000
    with Catalog() as catalog:
        assert catalog.metrics(run.id, key="lr")[-1].value < 2e-4  # the schedule was fitted to the limit
        assert catalog.checkpoint(run.id, "best") is not None


def test_early_stopping_ends_a_run_without_gain(dataset: Path) -> None:
    from core import config

    tree = config.to_tree(tiny_experiment(dataset, epochs=200, early_stopping=3))
    tree["optimizer"]["lr"] = 1e-9
    run = execute(prepare_run(config.parse(tree)))
    assert run.state == "finished" and run.epoch < 200


def test_one_label_is_trained_against_the_rest(dataset: Path) -> None:
    from core import config

    tree = config.to_tree(tiny_experiment(dataset, epochs=1))
    tree["task"]["target_label"] = 2
    run = execute(prepare_run(config.parse(tree)))
    assert load_plan(run.folder).classes == 2 and "val/dice/Label 2" in run.summary
    tree["task"]["target_label"] = 9
    with pytest.raises(ConfigError, match="target_label is 9"):
        prepare_run(config.parse(tree))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"patch_size": [15, 16, 16]}}, "multiples of 4"),
        ({"trainer": {"precision": "16-mixed"}}, "needs a GPU"),
        ({"task": {"class_weights": [1.0]}}, "1 values for 3 classes"),
    ],
)
def test_settings_that_cannot_work_are_refused(dataset: Path, change: dict[str, Any], message: str) -> None:
    from core import config

    tree = config.to_tree(tiny_experiment(dataset))
    for block, values in change.items():
        tree[block] |= values
    with pytest.raises(ConfigError, match=message):
        execute(prepare_run(config.parse(tree)))


def test_missing_data_leaves_no_run_behind(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        prepare_run(tiny_experiment(tmp_path / "nowhere"))
    with Catalog() as catalog:
        assert catalog.runs() == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x02cos\nsystem\n(S'true'\ntR."])
def test_damaged_or_hostile_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "evil.ckpt"
    file.write_bytes(content)
    with pytest.raises(IsocenterError):
        load(file)


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "canary").touch, ())

    torch.save({"state_dict": {"network.a": torch.ones(1)}, "x": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(IsocenterError):
        load_weights(tmp_path / "evil.ckpt")
    assert not (tmp_path / "canary").exists()


def test_last_epoch_is_validated_whatever_the_interval(dataset: Path) -> None:
    run = train(dataset, epochs=3, validate_every=2)
    with Catalog() as catalog:
        assert [point.epoch for point in catalog.metrics(run.id, key="val/dice")] == [1, 2]
