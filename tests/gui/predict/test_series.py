"""Which scan the panel predicts, of several series in one folder, and which it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication

from gui.predict.worker_process import PredictionJob
from tests.gui.predict.making import store_prediction


def test_predict_on_drop_leaves_alone_what_the_program_opened_itself(qtbot, panel, scan) -> None:
    panel.on_drop.setChecked(True)
    panel.set_scan(scan, by_user=False)
    QApplication.processEvents()
    assert panel.can_predict  # nothing was started


def test_the_series_in_front_is_the_one_that_is_predicted_and_opened_again(qtbot, panel, context, scan) -> None:
    series = replace(scan, source=replace(scan.source, series="1.2.4"))
    panel.set_scan(series)
    asked: list[str] = []
    panel._worker.predict = lambda request: asked.append(request.series) or PredictionJob(request)
    panel.predict()
    assert asked == ["1.2.4"]
    panel.cancel()
    row = store_prediction(context.catalog(), scan, scan.source.path.parent)
    other = replace(row, series="1.2.5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.catalog(), "prediction", lambda _id: other)
        with qtbot.waitSignal(context.series_requested) as wanted:
            panel.open_prediction(row.id)
    assert wanted.args == [row.scan, "1.2.5"]
