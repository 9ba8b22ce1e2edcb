"""What metrics are called, for people."""

from __future__ import annotations

NAMES = {
    "auprc": "AUPRC", "auroc": "AUROC", "balanced_accuracy": "Balanced accuracy", "boundary_f1": "Boundary F1",
    "brier": "Brier score", "dice": "Dice", "ece": "Calibration error", "f1": "F1", "hd95": "HD95", "iou": "IoU",
    "jaccard": "IoU", "knn_auprc": "AUPRC by neighbours", "knn_auroc": "AUROC by neighbours", "lr": "Learning rate",
    "mae": "MAE", "mse": "MSE", "pearson": "Pearson r", "probe_auprc": "AUPRC by a linear probe",
    "probe_auroc": "AUROC by a linear probe", "r2": "R²", "rmse": "RMSE", "surface_dice": "Surface Dice",
}  # fmt: skip
PARTS = {"train": "training", "val": "validation", "test": "test", "oof": "out of fold"}


def metric_name(key: str) -> str:
    """A metric without its part.

    >>> metric_name("val/auroc"), metric_name("val/dice/anterior"), metric_name("train/embedding_std")
    ('AUROC', 'Dice: anterior', 'Embedding std')
    """
    first, _, rest = key.partition("/")
    name, _, structure = (rest if first in PARTS else key).partition("/")
    shown = NAMES.get(name, name.replace("_", " ").capitalize())
    return f"{shown}: {structure}" if structure else shown
