"""Taking in models: packages of our own and trained nnU-Net v2 models, all read as data."""

from core.inference.importing.importer import import_model

__all__ = ["import_model"]
