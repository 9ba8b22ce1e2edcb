"""The benchmarks themselves: that they can be imported, and that a missed bound shows."""

from __future__ import annotations

import importlib
import pkgutil

import nibabel as nib
import pytest

import tests.benchmarks
from core import config
from core.data.dataset import inspect
from tests.benchmarks.materials import experiment, small_dataset
from tests.benchmarks.report import Figure, machine, table

MODULES = [
    module.name for module in pkgutil.iter_modules(tests.benchmarks.__path__) if not module.name.startswith("test_")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_module_imports(name: str):
    importlib.import_module(f"tests.benchmarks.{name}")


def test_a_missed_bound_shows_in_the_table():
    figures = [Figure("start", 0.4, "s", 1.0), Figure("speed", 0.5, "x", 0.95, "at least")]
    assert [figure.passed for figure in figures] == [True, False]
    lines = table(figures, machine()).splitlines()
    assert lines[2].endswith("ok")
    assert lines[3].endswith("FAILS")
    assert "cores" in lines[-1]


def test_the_data_that_is_trained_on_is_a_valid_data_set(tmp_path):
    folder = small_dataset(tmp_path / "data", cases=4)
    dataset = inspect(folder)
    assert len(dataset.cases) == 4
    assert [label.value for label in dataset.labels] == [1, 2]
    assert nib.load(folder / "labels" / "case_000.nii.gz").shape == (36, 52, 36)
    assert config.load(experiment(tmp_path / "quick.yaml", folder, epochs=2)).trainer.epochs == 2
