"""Small trained models as nnU-Net v2 leaves them: its plans, its names of weights, its pickles with NumPy's numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch


def weights_of(
    dimensions: int = 3, residual: bool = False, outputs: int = 3, seed: int = 1, inputs: int = 1
) -> dict[str, Any]:
    """The weights of two stages, each layer under both names that nnU-Net keeps it by."""
    torch.manual_seed(seed)
    kernel, single, step = (3,) * dimensions, (1,) * dimensions, (2,) * dimensions
    weights: dict[str, Any] = {}

    def block(layer: str, given: int, features: int, sides: tuple[int, ...], bias: bool = True) -> None:
        made = {"conv.weight": torch.randn(features, given, *sides) * 0.3, "conv.bias": torch.randn(features) * 0.1,
                "norm.weight": torch.rand(features) + 0.5, "norm.bias": torch.randn(features) * 0.1}  # fmt: skip
        for name, value in made.items():
            if name != "conv.bias" or bias:
                again = name.replace("conv", "all_modules.0").replace("norm", "all_modules.1")
                weights[f"{layer}.{name}"] = weights[f"{layer}.{again}"] = value

    if residual:
        block("encoder.stem.convs.0", inputs, 4, kernel)
        for stage, inputs, features in ((0, 4, 4), (1, 4, 8)):
            block(f"encoder.stages.{stage}.blocks.0.conv1", inputs, features, kernel)
            block(f"encoder.stages.{stage}.blocks.0.conv2", features, features, kernel)
        block("encoder.stages.1.blocks.0.skip.1", 4, 8, single, bias=False)
    else:
        block("encoder.stages.0.0.convs.0", inputs, 4, kernel)
        block("encoder.stages.1.0.convs.0", 4, 8, kernel)
    weights |= {f"decoder.{name}": value for name, value in weights.items()}
    weights["decoder.transpconvs.0.weight"] = torch.randn(8, 4, *step)
    weights["decoder.transpconvs.0.bias"] = torch.randn(4)
    block("decoder.stages.0.convs.0", 8, 4, kernel)
    weights["decoder.seg_layers.0.weight"] = torch.randn(outputs, 4, *single)
    weights["decoder.seg_layers.0.bias"] = torch.zeros(outputs)
    return weights


def write_model(
    folder: Path, *, dimensions: int = 3, residual: bool = False, weights: Any = None, extra: Any = None,
    settings: dict[str, Any] | None = None, dataset: dict[str, Any] | None = None, plans: dict[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A trained-model folder with fold_0; the keywords change parts of its files."""
    kind = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    resampled = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    configuration = {
        "preprocessor_name": "DefaultPreprocessor", "patch_size": [16] * dimensions, "spacing": [1.0] * dimensions,
        "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {**resampled, "order": 3},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampled, "order": 1},
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
            "arch_kwargs": {
                "n_stages": 2, "features_per_stage": [4, 8], "kernel_sizes": [[3] * dimensions] * 2,
                "strides": [[1] * dimensions, [2] * dimensions], "n_conv_per_stage_decoder": [1], "conv_bias": True,
                ("n_blocks_per_stage" if residual else "n_conv_per_stage"): [1, 1],
                "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d", "dropout_op": None,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
            },
        },
        **(settings or {}),
    }  # fmt: skip
    name = "2d" if dimensions == 2 else "3d_fullres"
    described = {
        "dataset_name": "Dataset501_Shapes", "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2], "original_median_spacing_after_transp": [2.0, 1.0, 1.0],
        "configurations": {name: configuration}, **(plans or {}),
    }  # fmt: skip
    data = {
        "channel_names": {"0": "MRI"}, "labels": {"background": 0, "Front": 1, "Back": 2}, "numTraining": 7,
        **(dataset or {}),
    }  # fmt: skip
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(described))
    (folder / "dataset.json").write_text(json.dumps(data))
    checkpoint = {
        "network_weights": weights or weights_of(dimensions, residual),
        "init_args": {"configuration": name, "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": tuple(range(dimensions)),
        "logging": {"mean_fg_dice": [np.float64(0.5)], "lrs": [0.01], "one": np.float32(1.5)},
        **(extra or {}),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    return folder
