"""The presets and what they are checked against."""

from __future__ import annotations

import json

import pytest

from core import cli, config


def keys(preset: str, *overrides: str) -> list[tuple[str, str]]:
    experiment = config.load(preset, overrides)
    return [(departure.requirement, departure.key) for departure in experiment.task.check(experiment)]


def test_the_default_preset_departs_from_nothing() -> None:
    assert keys("alzheimers") == []


def test_the_production_preset_keeps_what_is_asked_for() -> None:
    assert keys("alzheimers-production") == []


def test_the_development_preset_says_where_it_is_smaller() -> None:
    found = keys("alzheimers-development")
    assert ("A1", "data.shape") in found
    assert ("A2", "patches") in found


@pytest.mark.parametrize(
    ("override", "requirement", "key"),
    [
        ("optimizer.lr=2e-4", "A7", "optimizer.lr"),
        ("optimizer.weight_decay=0", "A7", "optimizer.weight_decay"),
        ("scheduler.eta_min=0", "A7", "scheduler.eta_min"),
        ("trainer.batch_size=2", "A8", "trainer.batch_size"),
        ("trainer.accumulate=4", "A8", "trainer.accumulate"),
        ("trainer.gradient_clip_by=value", "A8", "trainer.gradient_clip_by"),
        ("trainer.precision=32", "A8", "trainer.precision"),
        ("model.cross_blocks=0", "A3", "model.cross_blocks"),
        ("model.clinical=64", "A4", "model.clinical"),
        ("model.fusion=128", "A5", "model.fusion"),
        ("task.modality_dropout=0", "A11", "task.modality_dropout"),
    ],
)
def test_each_setting_that_departs_is_named(override: str, requirement: str, key: str) -> None:
    assert (requirement, key) in keys("alzheimers", override)


def test_another_schedule_is_one_departure_that_says_what_it_is() -> None:
    experiment = config.load("alzheimers", ["scheduler.name=poly"])
    texts = [departure.text for departure in experiment.task.check(experiment)]
    assert texts == ["A7 scheduler.name is poly, not cosine_annealing."]


def test_the_command_lists_departures(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "alzheimers", "optimizer.lr=1e-3", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["departures"] == [{"requirement": "A7", "key": "optimizer.lr", "asked": 1e-4, "found": 1e-3}]


def test_a_task_of_which_nothing_was_asked_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "hippocampus"]) == 2
    assert "nothing was asked" in capsys.readouterr().err


def test_the_network_is_described_without_being_made() -> None:
    from core.tasks.alzheimers.describing import describe

    experiment = config.load("alzheimers")
    found = describe(experiment.model, experiment.data.shape)
    assert found.patches == (22, 30, 22)
    assert found.stages == [96, 192, 384, 768]
    assert sum(found.parts.values()) == found.parameters > 50e6
    assert 30e9 < found.forward_flops < 50e9
    assert any("14,520 patches" in line for line in found.lines())
