"""The pages that are made at their first visit: where each stands, and how it is made."""

from __future__ import annotations

import importlib

from PySide6.QtWidgets import QWidget

from gui.context import AppContext
from gui.importing import IMPORTING

LAZY = {  # module, class, words for the bar on top
    "tables": ("gui.tables.page", "TablesPage", "Tables"),
    "stays": ("gui.stays.page", "StaysPage", "Stays"),
    "risk": ("gui.risk.page", "RiskPage", "Risk of a subject"),
    "predict": ("gui.predict.page", "PredictionsPage", "Predictions"),
    "train": ("gui.train.page", "TrainPage", "Training"),
    "runs": ("gui.runs.page", "RunsPage", "Runs"),
    "models": ("gui.models.page", "ModelsPage", "Models"),
    "review": ("gui.review.page", "ReviewPage", "Review"),
}


def make_page(key: str, context: AppContext) -> QWidget:
    """Import and make a page. Raises whatever its making does: the window goes on without it."""
    module, name, _ = LAZY[key]
    with IMPORTING:
        made: QWidget = getattr(importlib.import_module(module), name)(context)
    return made
