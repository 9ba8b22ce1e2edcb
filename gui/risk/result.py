"""The answer for a subject: the score on its scale with its interval, what speaks for it, what has to be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from core.inference.package import AnyPackage
from gui.charts.bars import Bar, BarChart
from gui.theme import theme
from gui.train.data_check import LEVELS
from gui.widgets import button, label, notice, section

MOST_VALUES = 12
PARTS = {"mri": "MRI", "pet": "PET", "clinical": "Clinical values"}


class ScoreScale(QWidget):
    """A score between 0 and 1 as a dot on its scale, the interval as a bar, threshold and cohort's mean as marks."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("score-scale")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._score: float | None = None
        self._interval: tuple[float, float] | None = None
        self._threshold: float | None = None
        self._mean: float | None = None
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(260, 64)

    def show_score(
        self, score: float, interval: tuple[float, float] | None, threshold: float | None, mean: float | None
    ) -> None:
        self._score, self._interval, self._threshold, self._mean = score, interval, threshold, mean
        between = f", between {interval[0]:.2f} and {interval[1]:.2f}" if interval else ""
        self.setAccessibleName(f"Score {score:.2f}{between}, of 0 to 1")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._score is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right, middle = 8.0, self.width() - 8.0, 30.0

        def at(value: float) -> float:
            return left + value * (right - left)

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("line"))
        painter.drawRoundedRect(QRectF(left, middle - 3, right - left, 6), 3, 3)
        if self._interval is not None:
            low, high = self._interval
            painter.setBrush(theme().color("accent_ground"))
            painter.setPen(QPen(theme().color("accent"), 1))
            painter.drawRoundedRect(QRectF(at(low), middle - 7, max(at(high) - at(low), 2), 14), 7, 7)
        small = painter.font()
        small.setPixelSize(11)
        painter.setFont(small)
        for value, words, above in ((self._threshold, "threshold", True), (self._mean, "trained on, mean", False)):
            if value is None:
                continue
            painter.setPen(QPen(theme().color("warn" if above else "dim"), 1.5))
            painter.drawLine(QPointF(at(value), middle - 11), QPointF(at(value), middle + 11))
            area = QRectF(at(value) - 60, 2 if above else middle + 12, 120, 14)
            area.moveLeft(min(max(area.left(), 0), self.width() - area.width()))
            painter.setPen(theme().color("dim"))
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), words)
        painter.setPen(QPen(theme().color("raised"), 2))
        painter.setBrush(theme().color("accent"))
        painter.drawEllipse(QPointF(at(self._score), middle), 7, 7)
        painter.setPen(theme().color("dim"))
        painter.drawText(QRectF(left, middle + 12, 20, 14), int(Qt.AlignmentFlag.AlignLeft), "0")
        painter.drawText(QRectF(right - 20, middle + 12, 20, 14), int(Qt.AlignmentFlag.AlignRight), "1")


def mean_score(package: AnyPackage | None) -> float | None:
    """That of the subjects that a model was trained on."""
    plan: Any = package.as_dict().get("plan") if package is not None else None
    return plan.get("mean_score") if isinstance(plan, dict) else None


class RiskResult(QWidget):
    """Shows one prediction of a risk model."""

    report_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("risk-result")
        self.notices = QVBoxLayout()
        self.notices.setSpacing(8)
        self.figure = label("", "figure")
        self.figure.setObjectName("risk-score")
        self.between = label("", "dim", wrap=True)
        self.between.setObjectName("risk-interval")
        self.scale = ScoreScale()
        self.shares_title = section("What the score rests on")
        self.shares = BarChart("risk-shares", "What each part adds to the score", form="{:+.3f}", warm_rises=True)
        self.values_title = section("Clinical values")
        self.values = BarChart(
            "risk-values", "What each clinical value adds to the score", form="{:+.3f}", warm_rises=True
        )
        self.made = label("", "small", wrap=True)
        self.save = button(
            "Save report…", "risk-save-report", self.report_requested.emit,
            tip="Write this answer as a PDF, with its pictures (Ctrl+S)",
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self.notices)
        for widget in (
            self.figure, self.between, self.scale, self.save, self.shares_title, self.shares, self.values_title,
            self.values, self.made,
        ):  # fmt: skip
            column.addWidget(widget)

    def show_prediction(self, answer: Mapping[str, Any], mean: float | None) -> None:
        """mean: the score of the subjects that were trained on."""
        while (item := self.notices.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for finding in answer.get("findings", []):
            self.notices.addWidget(notice(finding["message"], LEVELS.get(finding["severity"], "info")))
        score, interval = float(answer["score"]), answer.get("interval")
        self.figure.setText(f"{score:.2f}")
        self.figure.setAccessibleName(f"Score {score:.2f}")
        told = []
        if interval:
            share = answer.get("confidence")
            held = f" ({share:.0%} of subjects lie within)" if isinstance(share, float) else ""
            told.append(f"between {interval[0]:.2f} and {interval[1]:.2f}{held}")
        if answer.get("probability") is not None:
            told.append(f"{answer['probability']:.0%} probability of a score over {answer.get('threshold', 0.5):g}")
        told.append(f"from {' and '.join(_parts(answer))}")
        if (below := (answer.get("cohort") or {}).get("percent_below")) is not None:
            where = {0.0: "lower than 95%", 100.0: "higher than 95%"}.get(below, f"higher than {below:.0f}%")
            told.append(f"{where} of the subjects trained on")
        self.between.setText("; ".join(told))
        span = (float(interval[0]), float(interval[1])) if interval else None
        self.scale.show_score(score, span, answer.get("threshold"), mean)
        self._show_reasons(answer.get("explanation") or {})
        seconds = answer.get("seconds")
        self.made.setText(
            f"{answer.get('model', '')} {answer.get('version', '')}"
            + (f" · {seconds:.1f} s" if isinstance(seconds, int | float) else "")
        )

    def _show_reasons(self, explanation: Mapping[str, Any]) -> None:
        shares = [Bar(PARTS.get(name, name), float(value)) for name, value in (explanation.get("shares") or {}).items()]
        values = [
            Bar(str(one["name"]).replace("_", " "), float(one["contribution"]),
                f"{one['value']:g} {one.get('unit', '')}".strip())
            for one in (explanation.get("clinical") or [])[:MOST_VALUES]
        ]  # fmt: skip
        for title, chart, bars in (
            (self.shares_title, self.shares, shares), (self.values_title, self.values, values),
        ):  # fmt: skip
            chart.show_bars(bars)
            title.setVisible(bool(bars))
            chart.setVisible(bool(bars))


def _parts(answer: Mapping[str, Any]) -> list[str]:
    """What the score was made from, in words."""
    return [PARTS.get(part, part).replace("C", "c", 1) for part in str(answer.get("parts", "")).split("+") if part]
