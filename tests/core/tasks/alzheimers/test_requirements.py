"""The presets and what they are checked against."""

from __future__ import annotations

import doctest
import json
import re

import pytest

from core import cli, config
from core.tasks.alzheimers import requirements
from core.tasks.alzheimers.requirements import departures


def keys(preset: str, *overrides: str) -> list[str]:
    experiment = config.load(preset, overrides)
    return [departure.key or departure.requirement for departure in experiment.task.check(experiment)]


def test_doctests() -> None:
    assert doctest.testmod(requirements).failed == 0


def test_the_default_preset_departs_from_nothing() -> None:
    assert keys("alzheimers") == []


def test_the_production_preset_keeps_what_is_asked_for() -> None:
    assert keys("alzheimers-production") == []


def test_the_development_preset_says_where_it_is_smaller() -> None:
    assert {"data.shape", "Patches of an image", "Channels of the stages"} <= set(keys("alzheimers-development"))


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.lr=2e-4", "optimizer.weight_decay=0", "scheduler.eta_min=0", "trainer.batch_size=2",
        "trainer.accumulate=4", "trainer.gradient_clip_by=value", "trainer.precision=32", "model.cross_blocks=0",
        "model.clinical=64", "model.fusion=128", "task.modality_dropout=0",
    ],
)  # fmt: skip
def test_each_setting_that_departs_is_named(override: str) -> None:
    assert keys("alzheimers", override) == [override.partition("=")[0]]


def test_a_setting_of_the_optimizer_leaves_its_others_as_they_are() -> None:
    changed = config.load("alzheimers", ["optimizer.weight_decay=0.05"]).optimizer
    assert (changed.lr, changed.weight_decay) == (1e-4, 0.05)
    # Another one, or the same by its name, has its own usual settings.
    assert config.load("alzheimers", ["optimizer.name=sgd"]).optimizer.lr == 1e-2


def test_the_number_of_clinical_values_is_asked_for_where_a_cohort_is_known() -> None:
    experiment = config.load("alzheimers")
    assert departures(experiment, 118) == []
    assert [one.text for one in departures(experiment, 90)] == ["Clinical values: 90; asked for is 118."]


def test_another_schedule_is_one_departure_in_plain_words() -> None:
    experiment = config.load("alzheimers", ["scheduler.name=poly"])
    texts = [departure.text for departure in experiment.task.check(experiment)]
    assert texts == ["Schedule of the learning rate (scheduler.name): poly; asked for is cosine_annealing."]


def test_no_departure_is_told_by_a_number_that_nobody_knows() -> None:
    experiment = config.load("alzheimers-development", ["model.cross_blocks=0", "trainer.precision=32"])
    texts = [departure.text for departure in experiment.task.check(experiment)]
    assert len(texts) > 10
    assert not [text for text in texts if re.match(r"[A-E]\d+\b", text)]


def test_the_command_lists_departures(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "alzheimers", "optimizer.lr=1e-3", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["departures"] == [
        {"requirement": "Learning rate", "key": "optimizer.lr", "asked": 1e-4, "found": 1e-3}
    ]
    assert cli.main(["check", "alzheimers", "optimizer.lr=1e-3"]) == 0
    told = capsys.readouterr().out
    assert "Learning rate (optimizer.lr): 0.001; asked for is 0.0001." in told
    assert "1 departure." in told


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
