"""What a trial measures, and what is made of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from core import config
from core.catalog import MetricPoint
from core.cli import main
from core.control import JobControl
from core.data.dataset import inspect
from core.errors import Cancelled, TrainingFailed
from core.paths import runs_folder
from core.training import estimate as module
from core.training.estimate import Estimate, Measured, Trial, estimate, extrapolated
from core.training.launch import execute, prepare_run
from core.training.trial import timed
from tests.core.making import make_dataset, tiny_experiment

FOUND = Measured(step_s=0.5, validation_s=2.0, between_s=0.1, case_s=0.2, start_s=6.0, memory=10**9, device="cpu")


def tiny_trial(folder: Path, **trainer: float) -> Trial:
    experiment = tiny_experiment(make_dataset(folder), **trainer)
    return experiment.task.trial(experiment, inspect(experiment.data.path))


def of(folder: Path, **trainer: float) -> Estimate:
    return extrapolated(tiny_trial(folder, **trainer), FOUND)


def test_a_run_without_a_limit_takes_all_its_epochs_and_validations(tmp_path: Path) -> None:
    expected = of(
        tmp_path, epochs=100, validate_every=10, patches_per_case=8
    )  # 4 cases train; 2 validate, 1 in the trial
    assert expected.epoch_s == pytest.approx(16 * 0.5 + 0.1)
    assert expected.total_s == pytest.approx(6 + 6 * 0.2 + 100 * 8.1 + 10 * 4)
    assert (expected.epochs, expected.time_text()) == (100, "about 14 min for 100 epochs")


def test_cases_that_were_prepared_before_are_not_prepared_again(tmp_path: Path) -> None:
    assert tiny_trial(tmp_path).cases == 6
    experiment = tiny_experiment(tmp_path)
    execute(prepare_run(experiment))
    assert experiment.task.trial(experiment, inspect(tmp_path)).cases == 0


def test_a_time_limit_ends_a_run_before_its_epochs(tmp_path: Path) -> None:
    expected = of(tmp_path, epochs=1000, patches_per_case=8, max_minutes=8)
    assert expected.epochs == round(480 / 12.1)
    assert expected.time_text() == f"about {expected.epochs} of 1,000 epochs in 8 min"
    assert expected.total_s == pytest.approx(480 + 4 + 6 + 1.2)


def test_a_limit_that_is_not_reached_changes_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, epochs=3, max_minutes=60).epochs == 3


def points(*told: tuple[str, int, float]) -> list[MetricPoint]:
    return [
        MetricPoint(id=id, key=key, step=id, epoch=epoch, value=1.0, time=time)
        for id, (key, epoch, time) in enumerate(told)
    ]


def epoch(
    number: int, start: float, *, validated: float | None = None, step: float = 1.0
) -> list[tuple[str, int, float]]:
    """The points of five steps, and of a validation that ended so long after them."""
    told = [("train/loss", number, start + n * step) for n in range(5)]
    return told if validated is None else [*told, ("val/loss", number, start + 4 * step + validated)]


def test_a_step_is_that_of_a_usual_epoch_and_a_validation_counts_what_is_saved_after_it() -> None:
    told = [
        *epoch(0, 10.0, step=5.0),  # sets things up
        *epoch(1, 40.0),  # ends at 44
        *epoch(2, 46.0, step=3.0),  # disturbed; ends at 58
        *epoch(3, 60.0, validated=2.0),  # ends at 64, validated at 66, goes on at 70: two seconds to save
        *epoch(4, 70.0, validated=2.5),
    ]
    assert timed(points(*told), 5, 1, 2) == (1.0, 4.0, 1.0, 10.0)


def test_of_a_single_epoch_the_first_steps_are_not_timed() -> None:
    losses = [("train/loss", 0, t) for t in (10.0, 15.0, 16.0, 17.0, 18.0)]  # the first took five seconds
    assert timed(points(*losses, ("val/loss", 0, 21.0)), 5, 1, 2) == (1.0, 3.0, 0.0, 10.0)


def test_steps_too_slow_for_two_of_them_are_told_by_the_speed() -> None:
    told = points(("train/loss", 0, 30.0), ("val/loss", 0, 31.0))
    speed = MetricPoint(id=9, key="train/samples_per_s", step=1, epoch=0, value=0.25, time=32.0)
    assert timed([*told, speed], 1, 1, 2)[0] == 8.0


def test_where_only_each_tenth_loss_is_kept_the_rest_of_the_epoch_is_no_validation() -> None:
    losses = [("train/loss", 0, t) for t in (0.0, 10.0, 20.0, 30.0)]  # of 35 batches
    step, validation, _, _ = timed(points(*losses, ("val/loss", 0, 37.0)), 35, 10, 2)
    assert (step, validation) == (1.0, 3.0)


def test_a_real_trial_tells_time_and_memory_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(config.to_yaml(tiny_experiment(make_dataset(tmp_path / "data"))))
    assert main(["plan", str(file), "--estimate", "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)["estimate"]
    assert 0 < expected["step_s"] < expected["epoch_s"] < expected["total_s"]
    assert expected["memory"] > 100_000_000 and expected["device"] == "cpu"
    assert not runs_folder().exists()


def test_a_cancel_kills_the_trial(tmp_path: Path) -> None:
    control = JobControl(lambda _fraction, _message: control.cancel())
    with pytest.raises(Cancelled):
        estimate(tiny_trial(tmp_path), control)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no shell scripts")
def test_a_trial_that_dies_says_what_it_said_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\necho 'no memory is left' >&2; exit 1\n")
    dying.chmod(0o755)
    trial = tiny_trial(tmp_path / "data")
    monkeypatch.setattr(module.sys, "executable", str(dying))
    with pytest.raises(TrainingFailed, match="no memory is left"):
        estimate(trial, JobControl())
