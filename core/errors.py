"""The errors a person can mend: each says what is wrong, where, and how to mend it."""

from __future__ import annotations

from pathlib import Path


class IsocenterError(Exception):
    """Bad input, told in three parts: what is wrong, where, and how to mend it.

    The command line prints `str(error)` as one line and exits with 2; the window shows the parts.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, mend: str | None = None) -> None:
        self.what = what.rstrip(".")
        self.where = str(where) if where is not None else None
        self.mend = mend
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}." if self.where else f"{self.what}."
        return f"{text} {self.mend}" if self.mend else text


class UnreadableScan(IsocenterError):
    """A file or folder that cannot be read as a scan."""


class UnsuitableScan(IsocenterError):
    """A readable scan that the chosen model cannot take."""


class RegistrationFailed(IsocenterError):
    """Two scans that could not be brought to lie on each other."""


class ConfigError(IsocenterError):
    """An experiment description that is wrong: an unknown key, a value out of range, a broken file."""


class DatasetError(IsocenterError):
    """A data set that cannot be trained or evaluated on."""


class ModelError(IsocenterError):
    """A model package or checkpoint that is missing, damaged or does not fit."""


class CatalogError(IsocenterError):
    """A catalog or home folder that cannot be opened, read or written."""


class TrainingFailed(IsocenterError):
    """A run that could not go on, such as one whose loss became NaN; its last good weights are kept."""


class OutOfMemory(TrainingFailed):
    """A training step that does not fit into memory."""


class Cancelled(Exception):
    """Raised inside a job when its user cancelled it. Not an error: nothing is reported."""
