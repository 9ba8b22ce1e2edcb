"""Where a run goes on from: its last checkpoint, or, where that is damaged and a person says so, its best one."""

from __future__ import annotations

import shutil

from core.catalog import Catalog, CheckpointRow, RunRow
from core.errors import ModelError
from core.files import replacing, sha256
from core.models.archives import DAMAGED


def resume_point(catalog: Catalog, run: RunRow) -> CheckpointRow | None:
    """The last checkpoint, if it stands at the end of an epoch; a run stopped in its first epoch begins anew.

    Raises ModelError where it is gone or damaged, with the way on from the best one where that is whole.
    """
    row = catalog.checkpoint(run.id, "last")
    if row is None or run.epoch == 0:
        return None
    if fault := fault_of(row):
        best = catalog.checkpoint(run.id, "best")
        way = "Start the run anew."
        if best is not None and not fault_of(best):
            way = (
                f"`isocenter train --resume {run.id} --from best` goes on from the best one, of epoch {best.epoch + 1};"
                " the figures of later epochs are then measured again."
            )
        raise ModelError(f"the run's last checkpoint cannot be used ({fault})", where=row.path, mend=way)
    return row


def fault_of(row: CheckpointRow) -> str:
    """What is wrong with a checkpoint's file, in a few words; "" where it is, byte for byte, what was saved."""
    try:
        if not row.path.is_file():
            return "it is gone"
        return "" if sha256(row.path) == row.sha256 else DAMAGED
    except OSError as error:
        return error.strerror or str(error)


def take_best_as_last(catalog: Catalog, run: RunRow) -> None:
    """Have the run go on from its best checkpoint: a copy takes the place of the last one, which is kept beside it.

    Raises ModelError where the best one is gone or damaged.
    """
    best, last = catalog.checkpoint(run.id, "best"), catalog.checkpoint(run.id, "last")
    if best is None:
        raise ModelError("the run has no best checkpoint", where=run.id, mend="Start the run anew.")
    if fault := fault_of(best):
        raise ModelError(
            f"the run's best checkpoint cannot be used ({fault})", where=best.path, mend="Start the run anew."
        )
    path = best.path.with_name("last.ckpt") if last is None else last.path
    with replacing(path) as part:
        shutil.copyfile(best.path, part)
        if path.exists():
            path.replace(path.with_name(f"{path.name}.before"))
    catalog.set_checkpoint(
        run.id, "last", path=path, sha256=best.sha256, size=best.size, epoch=best.epoch, step=best.step,
        metric=best.metric, value=best.value,
    )  # fmt: skip
    catalog.add_event(run.id, "warning", f"Goes on from the best checkpoint, of epoch {best.epoch + 1}.")
