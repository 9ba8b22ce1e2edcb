"""One slice of one validation scan after each validation: three pictures of the objective's, such as what was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np

from core.files import replacing
from core.tasks.segmentation.preview import FOLDER

GAP = 2  # columns between the pictures


class PreviewWriter(pl.Callback):
    """Writes an objective's pictures side by side, the patient's right on the left."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        row = module.validated[0]
        pictures = side_by_side([picture[..., picture.shape[2] // 2] for picture in row["pictures"]])
        empty = np.zeros(pictures.shape, np.uint8)
        self.folder.mkdir(exist_ok=True)
        with replacing(self.folder / f"epoch_{trainer.current_epoch + 1:04d}.npz") as part, open(part, "wb") as file:
            np.savez_compressed(
                file, image=pictures, truth=empty, prediction=empty, dice=np.nan, case=row["case"],
                caption=f"{module.experiment.ssl.pictured} · loss {row['loss']:.3f}",
            )  # fmt: skip


def side_by_side(slices: list[Any]) -> Any:
    """(x, y) slices as one, the first on the left where x runs to the left, in the range of the first."""
    low, high = float(slices[0].min()), float(slices[0].max())
    gap = np.full((GAP, slices[0].shape[1]), low)
    parts = [part for one in slices for part in (np.clip(one, low, high), gap)][:-1]
    return np.concatenate(parts[::-1]).astype(np.float32)
