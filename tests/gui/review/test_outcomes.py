"""Evaluations of tables on the Review page: measured from the form, shown with intervals, curves and cases."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.catalog.evaluations import add_evaluation, evaluations
from core.control import JobControl
from gui.context import AppContext
from gui.review.outcome import outcome_of
from gui.review.page import ReviewPage
from tests.gui.tables_making import write_table


@pytest.fixture
def page(qtbot: QtBot, app_context: AppContext) -> Iterator[ReviewPage]:
    made = ReviewPage(app_context)
    qtbot.addWidget(made)
    for tool in made.toolbar_widgets():  # of the window's bar, which there is none of
        qtbot.addWidget(tool)
    made.resize(1400, 900)
    made.show()
    yield made
    made.shut_down()


def numbers(rows: int = 40) -> dict[str, Any]:
    """An answer of a kind that predicts a number."""
    draw = np.random.default_rng(0)
    truth = draw.random(rows)
    found = truth + draw.normal(0, 0.05, rows)
    cases = [
        {"case": f"s{n}", "target": float(t), "score": float(f)}
        for n, (t, f) in enumerate(zip(truth, found, strict=True))
    ]
    return {"model": "risk 1.0", "metrics": {"test/mae": 0.04, "test/pearson": 0.98}, "cases": cases, "trained_on": 0,
            "findings": [], "importance": {"age": 0.1, "hippocampus": 0.4}}  # fmt: skip


def put(result: dict[str, Any]) -> None:
    with Catalog() as catalog:
        add_evaluation(catalog, model="m", run="", data=Path("/data"), split="", result=result, files={}, seconds=1.0)


def test_doctest() -> None:
    for name in ("outcome_view", "groups"):
        assert doctest.testmod(importlib.import_module(f"gui.review.{name}")).failed == 0


def test_a_model_for_tables_is_evaluated_from_the_form_and_kept(
    qtbot: QtBot, page: ReviewPage, table_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page._context.models_changed.emit()
    page.ask("deaths-1.0")
    page.form.choose("deaths-1.0")
    page.form.data.setText(str(write_table(tmp_path / "unseen.csv", seed=1)))
    page.form.go.click()
    qtbot.waitUntil(lambda: page.outcomes.outcome is not None, timeout=60_000)
    with Catalog() as catalog:
        row = evaluations(catalog)[0]
    found = page.outcomes
    assert found.outcome.metrics["auroc"] == pytest.approx(row.result["metrics"]["test/auroc"])
    low, high = found.outcome.intervals["auroc"]
    assert low < found.outcome.metrics["auroc"] < high
    assert f"({low:.3f}–{high:.3f})" in found.roc.told.text()
    wrong = [float(found.cases.index(n, 4).data()) for n in range(120)]
    assert wrong == sorted(wrong, reverse=True)
    found.confusion.slider.setValue(200)
    assert "Threshold 0.2" in found.roc.read.text()
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _url: True)
    page.save_report(tmp_path / "report.html")
    qtbot.waitUntil((tmp_path / "report.html").is_file, timeout=10_000)
    assert "Decision curve" in (tmp_path / "report.html").read_text()


def test_numbers_are_shown_against_the_truth_with_what_matters_most(qtbot: QtBot, page: ReviewPage) -> None:
    put(numbers())
    page.reload()
    qtbot.waitUntil(lambda: page.outcomes.outcome is not None, timeout=10_000)
    view = page.outcomes
    assert view.scatter.isVisible() and view.roc.isHidden() and view.one_class.isHidden()
    assert "r 0.9" in view.scatter.told.text()
    assert [bar.name for bar in view.importance.bars] == ["hippocampus", "age"]
    view.choose_case("s7")
    chosen = view.table.selectionModel().selectedRows()[0].row()
    assert view.cases.row_of(chosen) == 7


def test_several_outcomes_are_looked_at_one_against_the_rest(qtbot: QtBot, page: ReviewPage) -> None:
    draw = np.random.default_rng(0)
    names, cases = ["a", "b", "c"], []
    for n in range(60):
        shares = draw.dirichlet([1, 1, 1])
        cases.append({"case": str(n), "outcome": names[draw.choice(3, p=shares)],
                      "probabilities": dict(zip(names, shares.tolist(), strict=True))})  # fmt: skip
    put({"model": "m", "metrics": {"test/accuracy": 0.5}, "cases": cases, "trained_on": 60, "findings": []})
    page.reload()
    qtbot.waitUntil(lambda: page.outcomes.outcome is not None, timeout=10_000)
    view = page.outcomes
    first = view.roc.told.text()
    view.one_class.setCurrentIndex(2)
    assert view.roc.told.text() != first
    assert sum(map(sum, view.confusion.matrix.counts)) == 60
    assert "flatter" in view.notices.itemAt(0).widget().accessibleName()


def test_intervals_that_come_with_an_answer_are_taken_as_they_are() -> None:
    found = outcome_of({**numbers(), "intervals": {"test/mae": [0.03, 0.05]}}, JobControl())
    assert found.intervals == {"mae": [0.03, 0.05]}


def test_groups_and_simulated_data_are_told_beside_the_figures(qtbot: QtBot, page: ReviewPage) -> None:
    told = {**numbers(), "threshold": 0.5, "simulated": {"model": True, "data": True}}
    told["parts"] = {"mri+clinical": {"subjects": 30.0, "mae": 0.05, "coverage": 0.9}}
    told["subgroups"] = [{"by": "sex", "group": "F", "subjects": 20, "bias": 0.01, "mae": 0.06}]
    put(told)
    page.reload()
    qtbot.waitUntil(lambda: page.outcomes.outcome is not None, timeout=10_000)
    view = page.outcomes
    table = view.groups.table
    assert [table.item(row, 0).text() for row in range(2)] == ["with mri + clinical", "sex: F"]
    assert "simulated" in view.notices.itemAt(0).widget().accessibleName()
    assert view.scatter.isVisible() and view.roc.isVisible()  # a score with a threshold is ranked too


def test_curves_that_come_with_an_answer_are_shown_as_they_are() -> None:
    from core.metrics.curves import binary_curves

    draw = np.random.default_rng(0)
    share = draw.random(50)
    truth = (draw.random(50) < share).astype(int)
    curves = binary_curves(share, truth)
    cases = [{"case": str(n), "outcome": str(t), "probabilities": {"0": 1 - p, "1": float(p)}}
             for n, (t, p) in enumerate(zip(truth.tolist(), share.tolist(), strict=True))]  # fmt: skip
    result = {"metrics": {}, "cases": cases[:20], "intervals": {"test/auroc": [0.1, 0.2]}, "threshold": 0.3,
              "curves": {"1": curves.as_dict()}}  # fmt: skip
    found = outcome_of(result, JobControl())
    assert found.curves(1) == curves  # of all cases, though not all were kept
    assert found.threshold == 0.3
