"""Small MONAI bundles with random weights, as MONAI's own tools and examples write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml

UNET = {
    "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8, 8],
    "strides": [2, 2], "num_res_units": 1, "norm": "instance",
}  # fmt: skip
PREPARING: list[dict[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "@image_key"},
    {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
    {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": ["image"], "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
    {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -60, "a_max": 160, "b_min": 0.0, "b_max": 1.0,
     "clip": True},
    {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
]  # fmt: skip
FINISHING: list[dict[str, Any]] = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
     "nearest_interp": False, "to_tensor": True},
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    {"_target_": "SaveImaged", "keys": "pred", "output_dir": "$@bundle_root + '/eval'"},
]  # fmt: skip
INFERER = {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "sw_batch_size": 4, "overlap": 0.5}


def network_of(tree: dict[str, Any], seed: int = 0) -> Any:
    """MONAI's own network of a definition, with random weights that answer unevenly over a scan."""
    from monai.networks import nets

    torch.manual_seed(seed)
    made = getattr(nets, tree["_target_"].rpartition(".")[2])(**{k: v for k, v in tree.items() if k != "_target_"})
    return made.train(False)


def write_bundle(
    folder: Path, *, network: Any = None, preparing: Any = None, finishing: Any = None, inferer: Any = None,
    outputs: Any = None, inputs: Any = None, weights: Any = None, extra: Any = None, as_yaml: bool = False,
) -> Path:  # fmt: skip
    """A bundle's folder; the keywords change its parts."""
    network = network or UNET
    config = {
        "imports": ["$import glob", "$import os"], "bundle_root": ".", "image_key": "image",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "network_def": network, "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": PREPARING if preparing is None else preparing},
        "inferer": inferer or INFERER,
        "postprocessing": {"_target_": "Compose", "transforms": FINISHING if finishing is None else finishing},
        "evaluator": {"_target_": "SupervisedEvaluator", "network": "@network"},
        "run": ["$@evaluator.run()"], **(extra or {}),
    }  # fmt: skip
    metadata = {
        "version": "0.1.0", "monai_version": "1.4.0", "name": "Shapes in noise", "data_source": "made-up shapes",
        "intended_use": "Tests.", "eval_metrics": {"mean_dice": 0.5},
        "network_data_format": {
            "inputs": inputs or {"image": {"type": "image", "modality": "MR", "num_channels": 1}},
            "outputs": {"pred": {"channel_def": outputs or {"0": "background", "1": "Front", "2": "Back"}}},
        },
    }  # fmt: skip
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    if as_yaml:
        (folder / "configs" / "inference.yaml").write_text(yaml.safe_dump(config))
    else:
        (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    if weights is None:
        weights = network_of(network).state_dict()
    if weights is not False:
        torch.save(weights, folder / "models" / "model.pt")
    return folder
