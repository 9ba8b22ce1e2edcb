"""A window's context with a small model at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from core.catalog import PredictionRow
from core.imaging.reader import read
from core.imaging.volume import Volume
from gui.context import AppContext
from gui.predict.panel import PredictPanel
from tests.gui.predict.making import make_package, make_scan, store_prediction


@pytest.fixture
def bare_context(qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppContext]:
    """A context with no model, not even the bundled one."""
    monkeypatch.setattr("core.inference.package.RESOURCES", tmp_path / "no-resources")
    made = AppContext(settings=QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    yield made
    assert made.close()


@pytest.fixture
def context(isocenter_home: Path, bare_context: AppContext) -> AppContext:
    make_package(isocenter_home)
    return bare_context


@pytest.fixture
def scan(tmp_path: Path) -> Volume:
    return read(make_scan(tmp_path / "scans" / "head.nii.gz"))


@pytest.fixture
def stored(context: AppContext, scan: Volume, tmp_path: Path) -> PredictionRow:
    """A past prediction of the scan, as the predictor leaves it."""
    return store_prediction(context.catalog(), scan, tmp_path / "out")


@pytest.fixture
def panel(qtbot: object, context: AppContext) -> PredictPanel:
    made = PredictPanel(context)
    qtbot.addWidget(made)
    made.resize(300, 800)
    made.show()
    return made
