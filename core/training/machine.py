"""What a run may use of this computer: its device, cores and memory, and what both are worth."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from core.training.devices import threads

# Of what order the floating point operations a second of a 3D U-Net's training step are: on a CPU for each core, on a
# GPU in float32. Rough figures that choose sizes; how long a run takes is measured by a trial (see estimate).
RATE_PER_CORE = 90e9
RATE_GPU = 8e12


@dataclass(frozen=True)
class Machine:
    """`memory` is what the device has in bytes, `free` what of it is not in use now."""

    device: str  # "cpu", "cuda" or "mps"
    cores: int
    memory: int
    free: int

    @property
    def rate(self) -> float:
        """Floating point operations a second of a training step, roughly."""
        return RATE_PER_CORE * self.cores if self.device == "cpu" else RATE_GPU

    def summary(self) -> str:
        size = f"{self.memory / 2**30:.0f} GB"
        return (
            f"{self.cores} CPU core{'s' if self.cores != 1 else ''}, {size} memory"
            if self.device == "cpu"
            else f"a GPU with {size}"
        )


def this_machine(device: str = "auto", cores: int = 0) -> Machine:
    """The machine as `trainer.device` and `trainer.threads` see it. Raises ConfigError for a device that is not there.

    torch is asked only where it may know of a GPU: importing it takes seconds.
    """
    import psutil

    cores = cores or threads(beside_window=False)
    memory = psutil.virtual_memory()
    if device == "auto" and _torch_is_for_cpus():
        device = "cpu"
    if device != "cpu":
        from core.training.devices import choose

        device = choose(device)
    if device == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info()
        return Machine("cuda", cores, int(total), int(free))
    return Machine(device, cores, int(memory.total), int(memory.available))


def _torch_is_for_cpus() -> bool:
    try:
        return sys.platform != "darwin" and version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False
