"""Debug mode: what each layer gives, and which one first gives no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from core.errors import TrainingFailed
from core.files import write_text

TABLE = "debug.txt"
MEGABYTE = 1e6
KEPT = "The checkpoints from before are kept."


@dataclass(frozen=True)
class Layer:
    """What one layer gave for the first batch. `memory`: bytes of its output, which training keeps."""

    name: str
    kind: str
    shape: tuple[int, ...]
    low: float
    high: float
    memory: int
    parameters: int

    def line(self) -> tuple[str, ...]:
        shape = " x ".join(map(str, self.shape))
        weights, output = (f"{size / MEGABYTE:.3f}" for size in (self.parameters, self.memory))
        return self.name, self.kind, shape, f"{self.low:.4g}", f"{self.high:.4g}", output, weights


class LayerDebugger(pl.Callback):
    """Writes `debug.txt` and events for the first batch; raises TrainingFailed at the first value that is no number."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.folder, self.tell = folder, tell
        self.layers: dict[str, Layer] = {}
        self._recording = False
        self._handles: list[Any] = []
        self._place = ""

    def on_fit_start(self, trainer: pl.Trainer, module: Any) -> None:
        for name, layer in module.network.named_modules():
            if not list(layer.children()):
                self._handles.append(layer.register_forward_hook(self._hook(name)))

    def teardown(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: dict[str, Tensor], index: int) -> None:
        self._place = f"in epoch {trainer.current_epoch + 1}, step {index + 1}"
        if not torch.isfinite(batch["image"]).all():
            raise TrainingFailed(f"{self._place} the images hold values that are no numbers", mend="Check the scans.")
        self._recording = not self.layers
        if self._recording:
            image, classes = batch["image"], torch.unique(batch["label"]).tolist()
            self.tell(
                f"Debug: images {' x '.join(map(str, image.shape))} from {float(image.min()):.3g} to"
                f" {float(image.max()):.3g}; classes {', '.join(map(str, classes))}."
            )

    def on_before_backward(self, trainer: pl.Trainer, module: Any, loss: Tensor) -> None:
        self._recording = False
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"{self._place} the loss became {float(loss)}, though every layer gave numbers",
                mend=f"{KEPT} Look at the loss's settings.",
            )

    def on_after_backward(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.precision == "16-mixed":
            return  # its scaled gradients may overflow; the scaler then leaves the step out
        wrong = [
            name for name, p in module.network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()
        ]
        if wrong:
            # Backward runs from the loss: the layer that came last forward is the source.
            order = {name: place for place, name in enumerate(self.layers)}
            source = max(wrong, key=lambda name: order.get(name.rpartition(".")[0], -1))
            raise TrainingFailed(
                f"{self._place} the gradient of {source} became no number (of {len(wrong)} in all)",
                mend=f"{KEPT} Lower optimizer.lr or trainer.gradient_clip.",
            )

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if self.layers and not (self.folder / TABLE).exists():
            self._report(module)

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(layer: nn.Module, inputs: Any, output: Any) -> None:
            if not isinstance(output, Tensor) or output.is_meta:
                return
            if not torch.isfinite(output).all():
                fine = all(torch.isfinite(x).all() for x in inputs if isinstance(x, Tensor))
                weights = all(torch.isfinite(p).all() for p in layer.parameters())
                why = "though its input did not" if fine else "as does its input"
                why = why if weights else "as do its weights"
                raise TrainingFailed(
                    f"{self._place} the layer {name} ({type(layer).__name__}) gives values that are no numbers, {why}",
                    mend=f"{KEPT} Lower optimizer.lr, or use trainer.precision=32.",
                )
            if self._recording and name not in self.layers:
                with torch.no_grad():
                    low, high = float(output.min()), float(output.max())
                size = sum(p.numel() * p.element_size() for p in layer.parameters())
                memory = output.numel() * output.element_size()
                self.layers[name] = Layer(
                    name, type(layer).__name__, tuple(output.shape), low, high, memory, size
                )  # fmt: skip

        return look

    def _report(self, module: Any) -> None:
        head = ("layer", "kind", "output", "lowest", "highest", "output MB", "weights MB")
        rows = [head, *(layer.line() for layer in self.layers.values())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        write_text(self.folder / TABLE, "\n".join(lines) + "\n")
        largest = max(self.layers.values(), key=lambda layer: layer.memory)
        total = sum(layer.memory for layer in self.layers.values())
        self.tell(
            f"Debug: {len(self.layers)} layers give {total / MEGABYTE:.1f} MB for a batch, the most {largest.name}"
            f" with {largest.memory / MEGABYTE:.1f} MB{_peak(module.device)}. Each is in {TABLE}."
        )
        if dead := [layer.name for layer in self.layers.values() if layer.low == layer.high]:
            self.tell(f"Debug: the same value everywhere from {', '.join(dead[:5])}.")


def _peak(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    return f"; {torch.cuda.max_memory_allocated(device) / MEGABYTE:.0f} MB of the GPU at most"
