"""Deleting predictions, and bringing them back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.catalog import Catalog, PredictionRow
from core.catalog.trash import row_from_trash, row_to_trash
from core.inference.cases import LEDGER
from core.inference.uncertainty import uncertainty_beside
from core.paths import predictions_folder


def to_trash(catalog: Catalog, id: int) -> str:
    """Take a prediction out of the catalog; its row and its own files wait in the trash. Returns its name there.

    Files outside the home's folder of predictions are their user's: they stay. Raises CatalogError.
    """
    gone = catalog.prediction(id)
    own = own_files(gone, [row for row in catalog.predictions() if row.id != id])
    name = row_to_trash(catalog, "predictions", id, own)
    for folder in {path.parent for path in own}:
        with suppress(OSError):  # other files lie there
            folder.rmdir()
    return name


def from_trash(catalog: Catalog, name: str) -> int:
    """Put a deleted prediction back, with its files. Returns its id. Raises CatalogError."""
    return row_from_trash(catalog, "predictions", name)


def kept_outside(row: PredictionRow) -> bool:
    """Whether the files of a prediction lie in a folder of its user's, which deleting leaves alone."""
    return not row.output.resolve().is_relative_to(predictions_folder().resolve())


def own_files(row: PredictionRow, others: list[PredictionRow]) -> list[Path]:
    """The files of a prediction that no other one needs: all of a folder that holds only its answer."""
    folder = row.output.parent
    if kept_outside(row) or any(other.output == row.output for other in others):
        return []
    shared = (folder / LEDGER).exists() or any(other.output.parent == folder for other in others)
    if shared or folder == predictions_folder():
        return [row.output, uncertainty_beside(row.output)]
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
