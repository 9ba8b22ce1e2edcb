"""What the command line says of its progress where no terminal shows it."""

from __future__ import annotations

import pytest

from core.commands import console
from core.commands.console import Progress


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_step_that_counts_gives_a_line_each_tenth_not_one_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        control = progress.control()
        for number in range(208):
            control.progress(number / 208, f"Checking case_{number} ({number + 1} of 208)")
    said = lines(capsys)
    assert said[0] == "Checking case_0 (1 of 208)"
    assert len(said) == 10


def test_slow_cases_give_a_line_each_few_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    with Progress() as progress:
        control = progress.control()
        for number in range(9):
            control.progress(number / 1000, f"Checking case_{number}")
    assert lines(capsys) == ["Checking case_0", "Checking case_3", "Checking case_6"]


def test_every_step_is_named_once_and_a_new_piece_of_work_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for _ in range(2):
            control = progress.control()
            control.progress(0.0, "Reading the scan")
            control.progress(0.01, "Loading the model")
            control.progress(0.02, "Predicting")
            control.progress(0.5, "Predicting")
            control.progress(0.97, "Writing the segmentation")
    once = ["Reading the scan", "Loading the model", "Predicting", "Writing the segmentation"]
    assert lines(capsys) == once * 2
