"""Reports of tables: one HTML file with figures, curves, other methods, importance and the worst cases."""

from __future__ import annotations

import re
import xml.etree.ElementTree as tree_of

import pytest

from core.inference.report_charts import Line, chart
from tests.core.tables import tree, write_recipe, write_table


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv")))


def test_an_evaluation_is_written_as_one_page_beside_a_method_fitted_to_the_same_rows(recipe, tmp_path, isocenter):
    _, trained, _ = isocenter("train", recipe, "--json")
    unseen = write_table(tmp_path / "unseen.csv", seed=1)
    page = tmp_path / "report.html"
    code, found, _ = isocenter(
        "evaluate", trained["run"], unseen, "--report", page, "--against", "logistic_regression", "--json"
    )
    text = page.read_text()
    assert code == 0 and found["report"] == str(page)
    other = found["against"][0]
    assert other["metrics"]["oof/auroc"] > 0.9 and other["rows"] == 120
    own, less = found["metrics"]["test/auroc"], other["comparison"]["auroc"]
    assert less["difference"] == pytest.approx(own - other["metrics"]["oof/auroc"])
    for words in ("AUROC", "ROC, area", "average precision", "Calibration", "Decision curve", "decided 1", "±",
                  "Logistic regression", f"{less['difference']:+.4f}", "Research use"):  # fmt: skip
        assert words.lower() in text.lower(), words
    assert "src=" not in text and "href=" not in text and "<script" not in text  # nothing is fetched or run


def test_a_cross_validation_and_a_number_have_reports_too(recipe, tmp_path, isocenter):
    _, group, _ = isocenter("train", recipe, "--folds", "2", "trainer.epochs=2", "data.target=age", "--json")
    page = tmp_path / "folds.html"
    code, found, _ = isocenter(
        "runs", "folds", group["group"], "--against", "random_forest", "--report", page, "--json"
    )
    text = page.read_text()
    assert code == 0 and "Predicted over true" in text and "Random forest" in text
    assert text.count("<circle") == len(found["cases"])


def test_a_report_of_an_unknown_method_or_place_is_refused_in_words(recipe, tmp_path, isocenter):
    _, trained, _ = isocenter("train", recipe, "trainer.epochs=1", "--json")
    code, _, err = isocenter("evaluate", trained["run"], tmp_path / "stays.csv", "--against", "oracle")
    assert code == 2 and "oracle" in err and "random_forest" in err
    code, _, err = isocenter("evaluate", trained["run"], tmp_path / "stays.csv", "--report", tmp_path / "a.pdf")
    assert code == 2 and ".html" in err


def test_what_lies_outside_a_chart_is_drawn_at_its_edge_and_names_are_escaped():
    drawn = chart("<ROC>", "x", "y", [Line([0, 0.5, 1], [0, 2, 1], "a & b")])
    points = re.search(r"points='([^']+)'", drawn).group(1)
    heights = [float(pair.split(",")[1]) for pair in points.split()]
    assert heights[1] == heights[2] == 12 and "a &amp; b" in drawn and "&lt;ROC&gt;" in drawn
    assert tree_of.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6]).get("aria-label") == "<ROC>"
