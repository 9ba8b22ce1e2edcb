from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core import config
from core.catalog import Catalog
from core.training.launch import execute, prepare_run
from core.training.plateau import Plateau
from core.training.schedulers import PlateauConfig
from tests.core.making import make_dataset, tiny_experiment


def validate(watch: Plateau, values: list[float]) -> list[float]:
    """The rate's scale after each validation."""
    module, scales = SimpleNamespace(rate_scale=0.0), []
    watch.on_fit_start(None, module)  # type: ignore[arg-type]
    for epoch, value in enumerate(values):
        trainer: Any = SimpleNamespace(callback_metrics={"val/dice": value}, current_epoch=epoch)
        watch.on_validation_end(trainer, module)
        scales.append(module.rate_scale)
    return scales


def test_the_rate_falls_after_more_than_patience_validations_without_a_gain() -> None:
    told: list[str] = []
    watch = PlateauConfig(patience=2, gamma=0.5, gain=0.01).watch("val/dice", told.append)
    assert validate(watch, [0.5, 0.6, 0.6, 0.605, 0.59, 0.7, 0.7, 0.7, 0.7]) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert told[0].startswith("Epoch 5: val/dice gets no better") and len(told) == 2


def test_the_rate_never_falls_below_the_last() -> None:
    watch = PlateauConfig(patience=0, gamma=0.1, final=0.05).watch("val/dice", lambda _: None)
    assert validate(watch, [0.5] * 5) == [1, 0.1, 0.05, 0.05, 0.05]


def test_a_resumed_run_goes_on_where_it_was() -> None:
    first, second = (PlateauConfig(patience=1).watch("val/dice", lambda _: None) for _ in range(2))
    validate(first, [0.5, 0.5, 0.5, 0.5])
    second.load_state_dict(first.state_dict())
    assert validate(second, [0.5]) == [0.25]


def test_a_run_without_gain_trains_with_ever_lower_rates(tmp_path: Path) -> None:
    tree = config.to_tree(tiny_experiment(make_dataset(tmp_path / "data"), epochs=4))
    tree["scheduler"] = {"name": "plateau", "patience": 0, "gamma": 0.1, "gain": 1.0}
    run = execute(prepare_run(config.parse(tree)))
    with Catalog() as catalog:
        rates = [point.value for point in catalog.metrics(run.id, key="lr")]
        told = [event.message for event in catalog.events(run.id) if "gets no better" in event.message]
    first = rates[0]
    # The first validation is a gain by itself; each later one is none, and the step after it is the first to show it.
    assert rates[-1] == pytest.approx(0.01 * first) and len(told) == 3
    assert sorted(rates, reverse=True) == rates
