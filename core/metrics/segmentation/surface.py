"""Metrics of the distance between two surfaces, in millimetres."""

from __future__ import annotations

from core.metrics.segmentation.pair import Pair, register_metric

PERCENTILE = 95.0


@register_metric("hd95", title="HD95", kind="distance", unit="mm")
def hd95(pair: Pair) -> float:
    """95th percentile of the Hausdorff distance: the larger one of the two directions."""
    surfaces = pair.surfaces
    return max(surfaces.of_truth.percentile(PERCENTILE), surfaces.of_prediction.percentile(PERCENTILE))


@register_metric("nsd", title="Surface Dice")
def normalised_surface_distance(pair: Pair) -> float:
    """Part of both surfaces that lies within the tolerance of the other (Nikolov 2018, arXiv 1809.04430)."""
    ways = (pair.surfaces.of_truth, pair.surfaces.of_prediction)
    return sum(way.within(pair.tolerance_mm) for way in ways) / sum(float(way.areas.sum()) for way in ways)


@register_metric("boundary_f1", title="Boundary F1")
def boundary_f1(pair: Pair) -> float:
    """Harmonic mean of the parts of each surface within the tolerance of the other (Csurka 2013)."""
    recall, precision = (
        way.within(pair.tolerance_mm) / float(way.areas.sum())
        for way in (pair.surfaces.of_truth, pair.surfaces.of_prediction)
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
