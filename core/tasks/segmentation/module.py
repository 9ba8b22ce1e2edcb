"""The LightningModule of segmentation: what a training and a validation step are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor

from core import world
from core.data.plan import IGNORED, Plan
from core.data.regions import inside, read_back, written
from core.inference.sliding import OVERLAP, window_size
from core.metrics.segmentation import dice, dice_per_class
from core.tasks.segmentation.loss_terms import build_loss
from core.training.module import TaskModule

Array = np.ndarray[Any, Any]


class SegmentationModule(TaskModule):
    """Learns the plan's classes or regions with the experiment's network, loss, optimizer and schedule."""

    def __init__(self, experiment: Any, plan: Plan) -> None:
        super().__init__(experiment)
        self.plan = plan
        self.network = experiment.model.build(plan.channels, plan.outputs)
        self.loss = build_loss(experiment.task, plan)
        self.validated: list[dict[str, Any]] = []

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, x, y, z) -> logits (B, outputs, x, y, z); several, finest first, with deep supervision."""
        logits: Tensor = self.network(image)
        return logits

    def training_step(self, batch: dict[str, Tensor], _index: int) -> Tensor:
        loss: Tensor = self.loss(self(batch["image"]), batch["label"])
        return loss

    def size_of(self, batch: dict[str, Tensor]) -> int:
        """How many patches a batch holds."""
        return len(batch["image"])

    def on_validation_epoch_start(self) -> None:
        self.validated = []

    def validation_step(self, batch: dict[str, Any], _index: int) -> None:
        """One whole case: loss, Dice per structure, and the class map for the preview."""
        image, label = batch["image"], batch["label"]
        logits = self.whole(image)
        truth, prediction, per_structure = self.compared(logits[0], label[0, 0].cpu().numpy())
        self.validated.append(
            {
                "case": batch["case"][0],
                "loss": float(self.loss(logits, label)),
                "dice": per_structure,
                "image": image[0, 0].cpu().numpy(),
                "truth": truth,
                "prediction": prediction,
            }
        )
        if len(self.validated) > 1:  # one case is drawn; the others' voxels are not needed any more
            for key in ("image", "truth", "prediction"):
                self.validated[-1].pop(key)

    def compared(self, logits: Tensor, classes: Array) -> tuple[Array, Array, list[float]]:
        """Maps of the structures' places, from 1, in truth and prediction, and Dice of each as a prediction has it."""
        ignored = classes == IGNORED
        if not self.plan.overlapping:
            prediction = logits.argmax(dim=0).to(torch.uint8).cpu().numpy()
            prediction[ignored] = 0
            truth = np.where(ignored, 0, classes)
            return truth, prediction, dice_per_class(truth, prediction, self.plan.classes)
        prediction = written((logits > 0).cpu().numpy())
        prediction[ignored] = 0
        truly, found = np.moveaxis(inside(self.plan)[classes], -1, 0), read_back(prediction, self.plan)
        return written(truly), prediction, [dice(*pair) for pair in zip(truly, found, strict=True)]

    def on_validation_epoch_end(self) -> None:
        figures = [(case["case"], case["loss"], case["dice"]) for case in self.validated]
        figures = list({figure[0]: figure for figure in world.gather(figures)}.values())  # each case once
        per_structure = np.array([dice for _, _, dice in figures]).mean(axis=0)
        metrics = {"val/loss": float(np.mean([loss for _, loss, _ in figures]))}
        for label, value in zip(self.plan.labels, per_structure, strict=True):
            metrics[f"val/dice/{label.name}"] = float(value)
        metrics["val/dice"] = float(per_structure.mean())
        self.log_dict(metrics)

    def whole(self, image: Tensor) -> Tensor:
        """Logits of a whole volume (1, channels, x, y, z), in one pass or by windows."""
        window = window_size(image.shape[2:], self.plan.patch_size, self.experiment.model.divisor)
        return sliding_window_inference(image, window, 1, self.network, overlap=OVERLAP, mode="gaussian")
