"""What predict does for models of every kind but scans'."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from core.commands import by_kind
from core.errors import IsocenterError
from core.tasks.tabular.kind import TableModels


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(IsocenterError, match="cannot be written"):
            by_kind.predict(
                Namespace(report=None, out=out, series=None, time=None, scans=[tmp_path / "rows.csv"]),
                TableModels(),
                None,
            )
