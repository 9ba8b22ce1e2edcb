"""A shared context, and a published model for tables, trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core import config, paths
from core.catalog import Catalog
from core.training import launch
from tests.gui.tables_making import table_tree, write_table
from tests.gui.train.conftest import context

__all__ = ["context"]


@pytest.fixture(scope="session")
def table_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was trained on a small table; copied where it is used."""
    from core.inference.kinds import kind_of

    place = tmp_path_factory.mktemp("table_model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(place / "home"))
        run_id = launch.prepare_run(config.parse(table_tree(write_table(place / "train.csv"))))
        run = launch.execute(run_id)
        with Catalog():
            package = kind_of("tabular").publish(run, name="deaths")
    return package.folder


@pytest.fixture
def model(table_model: Path) -> Path:
    """The model, among the user's own."""
    target = paths.models_folder() / table_model.name
    shutil.copytree(table_model, target)
    return target
