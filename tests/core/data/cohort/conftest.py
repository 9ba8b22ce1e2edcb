"""A small simulated cohort, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.simulation.alzheimers import Recipe, simulate


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects, some without a PET or an MRI; not to be written to."""
    folder = tmp_path_factory.mktemp("cohort") / "simulated"
    simulate(folder, Recipe(subjects=6, seed=11, missing=0.3))
    return folder
