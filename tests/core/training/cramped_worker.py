"""A training process on a device whose memory holds so many patches as ISOCENTER_TEST_ROOM says."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

from core import world
from core.tasks.segmentation.module import SegmentationModule
from core.training.worker import main

step = SegmentationModule.training_step


def limited(self: Any, batch: Any, index: int) -> Any:
    # On the second device alone, from the second epoch on: the others only lose it.
    if len(batch["image"]) > int(os.environ["ISOCENTER_TEST_ROOM"]) and self.current_epoch >= 1 and world.rank() == 1:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    return step(self, batch, index)


if __name__ == "__main__":  # nothing is changed where this is only imported, as by the search for doctests
    SegmentationModule.training_step = limited
    sys.exit(main())
