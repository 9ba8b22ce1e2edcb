"""Runs written to a file: all of one as JSON, or every point of their curves as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from core.catalog import Catalog, RunRow, records
from core.control import JobControl
from core.files import write_text
from gui.context import AppContext


def ask_and_export(context: AppContext, parent: QWidget, runs: Sequence[RunRow], kind: str) -> None:
    """Ask where to, then write. kind: "json" or "csv"."""
    if not runs:
        return
    name = runs[0].name if len(runs) == 1 else "runs"
    chosen, _ = QFileDialog.getSaveFileName(parent, "Export", f"{name}.{kind}", f"{kind.upper()} (*.{kind})")
    if chosen:
        export(context, Path(chosen), [run.id for run in runs])


def export(context: AppContext, path: Path, run_ids: Sequence[str]) -> None:
    """Write runs to a file as a job, as JSON or CSV by its name."""

    def work(_control: JobControl) -> None:
        with Catalog() as catalog:
            write = records.as_csv if path.suffix.lower() == ".csv" else records.as_json
            write_text(path, write(catalog, list(run_ids)))

    context.jobs.run(
        f"Exporting to {path.name}", work, done=lambda _: context.notice.emit("ok", f"Exported to {path}.")
    )
