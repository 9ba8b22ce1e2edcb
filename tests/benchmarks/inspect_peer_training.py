"""Patches a second that nnU-Net v2's own trainer gets through on this CPU, loading and augmentation included.

    python -m tests.benchmarks.inspect_peer_training FOLDER STEPS

FOLDER: a data set with images and labels. The network, patch and batch are those of `peers`; all else is nnU-Net's own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path

from tests.benchmarks.materials import BATCH, FEATURES, PATCH

NAME, WARM_UP = "Dataset001_Peer", 3


def main() -> None:
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    _raw(folder, Path(os.environ["nnUNet_raw"]) / NAME)  # noqa: SIM112 - its names
    _prepare()
    import torch
    from nnunetv2.training.nnUNetTrainer.variants.network_architecture.nnUNetTrainerNoDeepSupervision import (
        nnUNetTrainerNoDeepSupervision as Trainer,
    )

    place = Path(os.environ["nnUNet_preprocessed"]) / NAME  # noqa: SIM112 - its names
    plans = json.loads((place / "nnUNetPlans.json").read_text())
    dataset = json.loads((place / "dataset.json").read_text())
    trainer = Trainer(plans | {"continue_training": False}, "3d_fullres", "all", dataset, device=torch.device("cpu"))
    trainer.print_to_log_file = lambda *_, **__: None
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            began = time.perf_counter()
        trainer.train_step(next(trainer.dataloader_train))
    seconds = time.perf_counter() - began
    parameters = sum(p.numel() for p in trainer.network.parameters())
    print(json.dumps({"patches_per_s": BATCH * steps / seconds, "parameters": parameters}), flush=True)
    # Its worker processes hold this process's output open: whoever reads that would wait for them for ever.
    for worker in multiprocessing.active_children():
        worker.terminate()
    os._exit(0)


def _raw(source: Path, target: Path) -> None:
    """The data set in nnU-Net's layout."""
    cases = sorted((source / "images").glob("*.nii.gz"))
    for part in ("imagesTr", "labelsTr"):
        (target / part).mkdir(parents=True)
    for case in cases:
        name = case.name.removesuffix(".nii.gz")
        shutil.copy(case, target / "imagesTr" / f"{name}_0000.nii.gz")
        shutil.copy(source / "labels" / case.name, target / "labelsTr" / case.name)
    about = {
        "channel_names": {"0": "MRI"}, "labels": {"background": 0, "one": 1, "two": 2}, "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }  # fmt: skip
    (target / "dataset.json").write_text(json.dumps(about))


def _prepare() -> None:
    """Plan and preprocess as nnU-Net does, with the network, patch and batch that are compared."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess

    extract_fingerprints([1], num_processes=2, check_dataset_integrity=False)
    plan_experiments([1])
    file = Path(os.environ["nnUNet_preprocessed"]) / NAME / "nnUNetPlans.json"  # noqa: SIM112 - its names
    plans = json.loads(file.read_text())
    chosen = plans["configurations"]["3d_fullres"]
    chosen |= {"patch_size": list(PATCH), "batch_size": BATCH}
    stages = len(FEATURES)
    chosen["architecture"]["arch_kwargs"] |= {
        "n_stages": stages, "features_per_stage": list(FEATURES), "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1), "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }  # fmt: skip
    file.write_text(json.dumps(plans))
    preprocess([1], configurations=["3d_fullres"], num_processes=[2])


if __name__ == "__main__":
    main()
