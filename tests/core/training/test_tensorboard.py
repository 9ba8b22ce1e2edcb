from __future__ import annotations

from pathlib import Path

import pytest

from core.catalog import Catalog
from core.errors import ConfigError
from core.training import tensorboard
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


class Board:
    def __init__(self) -> None:
        self.points: list[tuple[str, float, int]] = []
        self.closed = False

    def add_scalar(self, key: str, value: float, step: int) -> None:
        self.points.append((key, value, step))

    def close(self) -> None:
        self.closed = True


def test_the_log_holds_what_the_catalog_holds(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    monkeypatch.setattr(tensorboard, "require", lambda: None)
    monkeypatch.setattr(tensorboard, "open_log", lambda _folder: board)
    run = execute(prepare_run(tiny_experiment(dataset, tensorboard=True)))
    with Catalog() as catalog:
        points = [(point.key, point.value, point.step) for point in catalog.metrics(run.id)]
    assert board.closed and sorted(board.points) == sorted(points)


def test_a_missing_package_is_said_before_a_run_is_made(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        prepare_run(tiny_experiment(dataset, tensorboard=True))
    with Catalog() as catalog:
        assert catalog.runs() == []


def test_tensorboard_reads_the_log(dataset: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = execute(prepare_run(tiny_experiment(dataset, tensorboard=True)))
    log = EventAccumulator(str(run.folder / "tensorboard"))
    log.Reload()
    assert [event.value for event in log.Scalars("val/dice")][-1] == pytest.approx(run.summary["val/dice"])
