"""One slice of one validation case after each validation, for the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np

from core.files import replacing

FOLDER = "previews"


class PreviewWriter(pl.Callback):
    """Writes image, truth and prediction of the first validation case, cut through the middle of the truth."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        case = module.validated[0]
        truth = case["truth"]
        z = int(np.median(np.nonzero(truth)[2])) if truth.any() else truth.shape[2] // 2
        self.folder.mkdir(exist_ok=True)
        # A file object, since savez would add its own suffix to a name.
        with replacing(self.folder / f"epoch_{trainer.current_epoch + 1:04d}.npz") as part, open(part, "wb") as file:
            np.savez_compressed(
                file, image=case["image"][..., z].astype(np.float32), truth=truth[..., z],
                prediction=case["prediction"][..., z], dice=float(np.mean(case["dice"])), case=case["case"],
            )  # fmt: skip
