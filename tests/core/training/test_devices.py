"""Several processes that train one run, on this computer's CPU."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from core import config
from core.catalog import Catalog, RunRow
from core.data.sharing import ShareOfBatches, share_of
from core.errors import ConfigError, OutOfMemory, TrainingFailed
from core.training import control
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun's store is not in torch's Windows builds")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def curves(run: RunRow) -> dict[tuple[str, int], float]:
    """The points by key and step; of steps taken again after a resumption the last."""
    with Catalog() as catalog:
        timing = ("train/samples_per_s", "train/waiting_share")
        return {(p.key, p.step): p.value for p in catalog.metrics(run.id) if p.key not in timing}


def under_torchrun(monkeypatch: pytest.MonkeyPatch, rank: int, size: int) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "test", "RANK": rank, "WORLD_SIZE": size}.items():
        monkeypatch.setenv(name, str(value))


class Order(list[int]):
    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def test_processes_take_the_parts_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for rank in (0, 1):
        under_torchrun(monkeypatch, rank, 2)
        share = ShareOfBatches(Order(range(11)), 4)
        assert share.batch_size == 2 and len(share) == len(list(share))
        parts.append(list(share))
    assert parts == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_what_cannot_be_shared_equally_is_refused(monkeypatch: pytest.MonkeyPatch, dataset: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer.devices should divide the batch of 3"):
        tiny_experiment(dataset, batch_size=3, devices=2)
    under_torchrun(monkeypatch, 0, 2)
    with pytest.raises(ConfigError, match="batch of 3 cannot be shared by 2 processes"):
        share_of(3)
    with pytest.raises(ConfigError, match="an epoch has 3 samples"):
        ShareOfBatches(Order(range(3)), 4)


def test_planned_batch_is_a_multiple_of_the_devices(dataset: Path) -> None:
    tree = config.to_tree(tiny_experiment(dataset, devices=4, batch_size=4))
    tree["trainer"]["batch_size"] = None
    with Catalog() as catalog:
        run = catalog.run(prepare_run(config.parse(tree)))
    assert config.read_yaml(run.config)["trainer"]["batch_size"] % 4 == 0


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_go_on_after_a_stop(dataset: Path) -> None:
    settings = {"epochs": 4, "batch_size": 4, "patches_per_case": 3}
    alone = execute(prepare_run(tiny_experiment(dataset, **settings)))
    run_id = prepare_run(tiny_experiment(dataset, **settings, devices=2))
    watcher = ask_when(run_id, "stop", 5)
    stopped = execute(run_id)
    watcher.join()
    assert stopped.state in ("stopped", "finished")
    with Catalog() as catalog:
        assert catalog.checkpoint(run_id, "last") is not None
    together = execute(run_id, resume=True) if stopped.state == "stopped" else stopped
    assert together.state == "finished" and together.epoch == 4
    expected = curves(alone)
    assert len(expected) >= 12 * 2 and curves(together) == pytest.approx(expected, abs=1e-4)
    assert len(list((together.folder / "previews").iterdir())) == 4


@pytest.mark.slow
def test_death_of_a_process_is_told_and_ends_the_others(dataset: Path) -> None:
    import psutil

    run_id = prepare_run(tiny_experiment(dataset, epochs=100_000, devices=2))

    def workers() -> list[Any]:
        return [p for p in psutil.Process().children(recursive=True) if "core.training.worker" in " ".join(p.cmdline())]

    def kill_one() -> None:
        wait_for_points(run_id, 2)
        max(workers(), key=lambda process: process.pid).kill()

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with pytest.raises(TrainingFailed, match=r"ended by itself .*SIGKILL"):
        execute(run_id)
    killer.join()
    assert workers() == []
    with Catalog() as catalog:
        run = catalog.run(run_id)
    assert run.state == "failed" and run.error is not None and "SIGKILL" in run.error


@pytest.mark.slow
@pytest.mark.parametrize("room", [1, 0])
def test_a_device_that_runs_out_of_memory_has_all_go_on_with_smaller_pieces(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr("core.training.supervisor.WORKER", "tests.core.training.cramped_worker")
    monkeypatch.setenv("ISOCENTER_TEST_ROOM", str(room))
    run_id = prepare_run(tiny_experiment(dataset, epochs=2, batch_size=4, devices=2))
    if room == 0:
        with pytest.raises(OutOfMemory, match="does not fit into memory"):
            execute(run_id)
    else:
        run = execute(run_id)
        assert run.state == "finished" and run.epoch == 2
        steps = [step for key, step in curves(run) if key == "val/dice"]
        assert len(steps) == 2
    with Catalog() as catalog:
        told = [event.message for event in catalog.events(run_id) if "Out of memory" in event.message]
    assert told == ["Out of memory. Going on with a batch of 2 with the gradients of 2 steps added up."]


@pytest.mark.slow
def test_error_of_a_process_is_told_as_its_own(dataset: Path) -> None:
    run_id = prepare_run(tiny_experiment(dataset, devices=2, epochs=2, batch_size=8))
    with pytest.raises(ConfigError, match="an epoch has 4 samples"):
        execute(run_id)


@pytest.mark.slow
def test_command_line_trains_under_torchrun(dataset: Path, tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(config.to_yaml(tiny_experiment(dataset)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "core.cli", "train", str(file)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    with Catalog() as catalog:
        (run,) = catalog.runs()
        assert run.state == "finished" and len(catalog.metrics(run.id, key="train/loss")) == 4
        assert any("2 processes" in event.message for event in catalog.events(run.id))


def wait_for_points(run_id: str, count: int) -> None:
    wait = threading.Event()
    with Catalog() as catalog:
        while catalog.run(run_id).state in ("queued", "running"):
            if len(catalog.metrics(run_id, key="train/loss")) >= count:
                return
            wait.wait(0.02)


def ask_when(run_id: str, what: control.Request, count: int) -> threading.Thread:
    def watch() -> None:
        wait_for_points(run_id, count)
        control.request(run_id, what)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
