"""A run whose last checkpoint is damaged says so, keeps its curves, and goes on from its best one on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.catalog import Catalog
from core.cli import main
from core.config import to_yaml
from core.errors import ModelError
from core.kept import experiment_in
from core.paths import runs_folder
from core.training.recovery import recover
from core.training.resuming import resume_point, take_best_as_last
from tests.core.training.test_recovery import RUN, make_run


@pytest.fixture
def last() -> Path:
    """The last checkpoint of a run with curves, which is cut off."""
    folder = make_run(runs_folder() / RUN, epochs=9)
    recover()
    with Catalog() as catalog:
        catalog.add_metrics(RUN, [("train/loss", step, step // 10, 0.5, 0.0) for step in range(25)])
        catalog.update_run(RUN, state="stopped", config=to_yaml(experiment_in(folder)))
    path = folder / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-200])
    return path


def test_a_cut_off_checkpoint_is_named_with_the_way_on_and_nothing_of_the_run_is_lost(
    last: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Catalog() as catalog:
        before = catalog.metrics(RUN)
    assert main(["train", "--resume", RUN]) == 2
    said = capsys.readouterr().err
    assert str(last) in said
    assert f"--resume {RUN} --from best" in said
    assert "epoch 2" in said
    with Catalog() as catalog:
        assert catalog.run(RUN).state == "stopped"
        assert catalog.metrics(RUN) == before


def test_the_best_checkpoint_takes_the_place_of_a_damaged_one_which_is_kept(last: Path) -> None:
    damaged = last.read_bytes()
    with Catalog() as catalog:
        take_best_as_last(catalog, catalog.run(RUN))
        row = resume_point(catalog, catalog.run(RUN))
        best = catalog.checkpoint(RUN, "best")
    assert row is not None and best is not None
    assert (row.path, row.epoch, row.step) == (last, 1, 10)
    assert last.read_bytes() == best.path.read_bytes()
    assert last.with_name("last.ckpt.before").read_bytes() == damaged


def test_where_no_checkpoint_is_whole_there_is_no_such_offer(last: Path) -> None:
    last.with_name("best.ckpt").unlink()
    with Catalog() as catalog:
        run = catalog.run(RUN)
        with pytest.raises(ModelError, match="Start the run anew") as told:
            resume_point(catalog, run)
        assert "--from" not in str(told.value)
        with pytest.raises(ModelError, match="it is gone"):
            take_best_as_last(catalog, run)


def test_a_flipped_byte_is_found_before_training_begins(last: Path) -> None:
    with Catalog() as catalog:
        take_best_as_last(catalog, catalog.run(RUN))
        content = bytearray(last.read_bytes())
        content[len(content) // 3] ^= 0xFF
        last.write_bytes(content)
        with pytest.raises(ModelError, match="cut short or damaged"):
            resume_point(catalog, catalog.run(RUN))


def test_from_best_goes_with_a_run_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "segmentation", "--from", "best"]) == 2
    assert "--resume" in capsys.readouterr().err
