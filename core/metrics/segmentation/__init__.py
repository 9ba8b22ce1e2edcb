"""How well a structure's mask agrees with the truth, in one case. A metric is one function with `@register_metric`:

    @register_metric("precision", title="Precision", kind="similarity")
    def precision(pair: Pair) -> float:
        return (pair.truth & pair.prediction).sum() / pair.prediction.sum()

A file with such a function in this folder is found by itself, and `evaluate` reports it. Where a mask is empty nothing
can be compared; these are the values then, and a case is always counted, never left out of a mean:

| kind       | example                  | both empty | the truth alone: missed | the prediction alone: false alarm |
| ---------- | ------------------------ | ---------- | ----------------------- | --------------------------------- |
| similarity | Dice, surface Dice       | 1          | 0                       | 0                                 |
| distance   | HD95                     | 0          | the image's diagonal    | the image's diagonal              |
| plain      | accuracy                 | the function is asked, whatever the masks hold                           |
"""

from core.metrics.segmentation.overlap import dice, dice_per_class, jaccard
from core.metrics.segmentation.pair import Metric, Pair, metrics, register_metric

__all__ = ["Metric", "Pair", "dice", "dice_per_class", "jaccard", "metrics", "register_metric"]
