"""The blocks of a fine-tuning that pretraining does not have."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from core.tasks.pretraining.settings import StayDataConfig


class LabelledDataConfig(StayDataConfig):
    """Which stays are learned from, and which are kept for the test."""

    label_fraction: float = Field(
        1.0, gt=0, le=1, title="Label share", description="Part of the training stays whose outcome is used."
    )
    test_parts: list[str] = Field(
        [], max_length=100, title="Test parts", description="Names of archives or folders that only the test uses."
    )
    test_path: Path | None = Field(
        None, title="Test stays", description="A folder, an archive or a table that only the test uses."
    )
    allow_unlabelled_overlap: bool = Field(
        False,
        title="Allow overlap",
        description="Let test stays be among those of the pretraining, which saw no outcome; it is recorded.",
    )
