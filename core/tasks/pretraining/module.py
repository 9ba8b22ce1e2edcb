"""The LightningModule of pretraining: an objective around an encoder, and what is watched lest it collapse."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.stays.batches import Batch
from core.tasks.pretraining.monitors import effective_rank, nearest, probe, spread
from core.tasks.pretraining.objective import ObjectiveNetwork
from core.training.module import TaskModule

Array = np.ndarray[Any, Any]
READERS = {"probe": probe, "knn": nearest}


class PretrainingModule(TaskModule):
    """Trains an objective's network.

    probed: batches of labelled training stays, for the linear probe; their target and that of the validation is the
    outcome as 0 and 1, or -1 where it is not known.
    """

    network: ObjectiveNetwork

    def __init__(self, experiment: Any, network: ObjectiveNetwork, probed: Any = None) -> None:
        super().__init__(experiment)
        self.network = network
        self.probed = probed
        self._validated: list[tuple[int, dict[str, float]]] = []
        self._embedded: list[tuple[Array, Array]] = []

    def size_of(self, batch: Batch) -> int:
        return len(batch.rows)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        found = self.network(batch.stays, batch.draws)
        self.step_figures = {name: value.detach() for name, value in found.items() if name != "loss"}
        loss: Tensor = found["loss"]
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.network.after_step(self.progress)

    def on_validation_epoch_start(self) -> None:
        self._validated, self._embedded = [], []
        for name in ("auroc", "auprc"):  # else the last one would be told again in each epoch
            for reader in READERS:
                self.trainer.callback_metrics.pop(f"val/{reader}_{name}", None)

    def validation_step(self, batch: Batch, _index: int) -> None:
        found = self.network(batch.stays, batch.draws)
        self._validated.append((len(batch.rows), {name: float(value) for name, value in found.items()}))
        self._embedded.append(self._embed(batch))

    def _embed(self, batch: Batch) -> tuple[Array, Array]:
        stay = self.network.encoder(batch.stays).stay
        return stay.float().cpu().numpy(), batch.target.cpu().numpy()

    def on_validation_epoch_end(self) -> None:
        count = sum(rows for rows, _ in self._validated)
        names = self._validated[0][1]
        metrics = {
            f"val/{name}": sum(rows * figures[name] for rows, figures in self._validated) / count for name in names
        }
        embedded, outcome = (np.concatenate(part) for part in zip(*self._embedded, strict=True))
        metrics |= {"val/embedding_std": spread(embedded), "val/embedding_rank": effective_rank(embedded)}
        metrics |= self._probe(embedded, outcome)
        self.log_dict(metrics)

    def _probe(self, embedded: Array, outcome: Array) -> dict[str, float]:
        """A linear probe and the nearest neighbours' outcome each few epochs, where there are labels."""
        every, epoch = self.experiment.task.probe_every, self.current_epoch + 1
        if not every or self.probed is None or (epoch % every and epoch != self.experiment.trainer.epochs):
            return {}
        with torch.no_grad():
            taught = [self._embed(batch._replace(stays=batch.stays.to(self.device))) for batch in self.probed]
        inputs, known = (np.concatenate(part) for part in zip(*taught, strict=True))
        return {
            f"val/{reader}_{name}": value
            for reader, read in READERS.items() for name, value in read(inputs, known, embedded, outcome).items()
        }  # fmt: skip
