"""The curves as a TensorBoard log, beside the catalog and on request only."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import ConfigError


def require() -> None:
    """Raise ConfigError where the package that writes the log is missing."""
    if find_spec("tensorboard") is None:
        raise ConfigError(
            "trainer.tensorboard is on, but the package tensorboard is not installed",
            mend="Install it with `pip install tensorboard`, or switch trainer.tensorboard off.",
        )


def open_log(folder: Path) -> Any:
    """A writer of scalars into `tensorboard` in the run's folder; a resumed run adds a file there."""
    require()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
