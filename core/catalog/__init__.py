"""The SQLite catalog of runs, metrics, checkpoints, data sets, models and predictions."""

from core.catalog.catalog import Catalog
from core.catalog.rows import CheckpointRow, EventRow, MetricPoint, PredictionRow, RunRow, RunState

__all__ = ["Catalog", "CheckpointRow", "EventRow", "MetricPoint", "PredictionRow", "RunRow", "RunState"]
