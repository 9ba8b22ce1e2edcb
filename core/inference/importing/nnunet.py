"""Trained models of nnU-Net v2: its plans, data set description and checkpoint, read as data.

A model's folder holds plans.json, dataset.json and fold_X/checkpoint_final.pth; a .zip of nnU-Net's own export holds
such a folder for each configuration. What cannot be reproduced exactly is refused with its name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from core.data.plan import Label, Plan
from core.errors import ModelError
from core.imaging.channels import MOST
from core.inference.importing.checkpoint import MAX_BYTES, read_checkpoint, tensors
from core.inference.importing.contents import Contents
from core.inference.importing.found import Found
from core.inference.manifest import MAX_NETWORKS, Training
from core.inference.pipelines.nnunet import NnunetPipeline, Normalisation, Resampling
from core.models.nnunet import NnunetConfig

PLANS, DATASET = "plans.json", "dataset.json"
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth", "checkpoint_latest.pth")
_PREFERRED = ("3d_fullres", "3d_lowres", "2d")
_SCHEMES: dict[str, Any] = {
    "ZScoreNormalization": "zscore",
    "CTNormalization": "ct",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale",
    "RGBTo01Normalization": "rgb",
}
_READERS = {"SimpleITKIO": "", "SimpleITKIOWithReorient": "", "NibabelIO": "", "NibabelIOWithReorient": "RAS"}
_RESAMPLING = "resample_data_or_seg_to_shape"

Refuse = Callable[..., ModelError]


def is_nnunet(contents: Contents) -> bool:
    return bool(_places(contents))


def read_nnunet(contents: Contents, *, fold: str | None = None, orientation: str | None = None) -> Found:
    """The model in a folder or archive.

    fold: "0", "all"; without it the one of all cases, or else every fold, as one ensemble. orientation: the axis
    codes of the training images, such as "RAS", where a person knows them. Raises ModelError for what is missing,
    hostile or unknown.
    """

    def refuse(what: str, mend: str | None = None) -> ModelError:
        return ModelError(what, where=contents.path, mend=mend)

    chosen = _choose(contents, fold, refuse)
    folder = posixpath.dirname(posixpath.dirname(chosen[0][1]))
    plans = contents.json(posixpath.join(folder, PLANS))
    dataset = contents.json(posixpath.join(folder, DATASET))
    checkpoint = _checkpoint(contents, chosen[0][1])
    try:
        configuration = str(checkpoint["init_args"]["configuration"])
        settings = _configuration(plans, configuration, refuse)
        reader = str(plans.get("image_reader_writer", "SimpleITKIO"))
        if reader not in _READERS:
            raise refuse(f"it reads its images with nnU-Net's {reader}, which is not supported")
        axes = _Axes([int(axis) for axis in plans["transpose_forward"]], len(settings["patch_size"]))
        labels, ignored = _labels(dataset, refuse)
        channels = dataset.get("channel_names", dataset.get("modality", {}))
        names = [str(name)[:120] for _, name in sorted(channels.items(), key=lambda one: int(one[0]))]
        if not 1 <= len(names) <= MOST:
            raise refuse(f"it takes {len(names)} images of a subject at once; 1 to {MOST} are supported")
        modality = _modality(names[0])
        network = _network(settings, axes, refuse)
        spacing = axes.spacing(settings["spacing"], plans.get("original_median_spacing_after_transp"))
        plan = Plan(
            spacing_mm=spacing, patch_size=axes.sides(settings["patch_size"]), labels=labels, modality=modality,
            ignore_label=ignored, channels=len(names), channel_names=names if len(names) > 1 else [],
        )  # fmt: skip
        normalisation, *of_further = [_normalisation(plans, settings, place, refuse) for place in range(len(names))]
        pipeline = NnunetPipeline(
            normalisation=normalisation, further=of_further, orientation=orientation or _READERS[reader],
            keep_axis=axes.across, image=_resampling(settings, "data", refuse),
            answer=_resampling(settings, "probabilities", refuse),
        )  # fmt: skip
        weights = _weights(tensors(checkpoint["network_weights"], contents.path), axes, network, refuse)
        mirrored = _mirrored(checkpoint, axes)
        further = []
        for place, name in chosen[1:]:
            one = _checkpoint(contents, name)
            if one["init_args"]["configuration"] != configuration or _mirrored(one, axes) != mirrored:
                raise refuse(f"fold {place} was trained otherwise than fold {chosen[0][0]}", "Choose one with --fold.")
            further.append(_weights(tensors(one["network_weights"], contents.path), axes, network, refuse))
        trainer = str(checkpoint.get("trainer_name", ""))[:80]
        name = str(plans.get("dataset_name") or dataset.get("name") or contents.path.stem)[:120]
        training = Training(
            data=str(dataset.get("name") or name)[:400],
            licence=str(dataset.get("licence") or dataset.get("license") or "")[:200],
            cases={"train": int(dataset.get("numTraining", 0))},
            protocol=_protocol(contents, chosen, trainer, plans, configuration),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        if isinstance(error, ValidationError):
            wrong = error.errors()[0]
            reason = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
        else:
            reason = str(error)[:200] or type(error).__name__
        raise refuse(f"not a sound nnU-Net model ({reason})") from None
    kind = f"nnU-Net v2, {configuration}, {_folds(chosen)}"
    return Found(
        kind=kind, name=re.sub(r"^Dataset\d+_", "", name), title=f"{name} ({configuration})",
        network=network.model_dump(mode="json"), plan=plan, pipeline=pipeline, mirror_axes=mirrored,
        training=training, weights=weights, further=further,
    )  # fmt: skip


# ---- which of the files ----------------------------------------------------------------------------------------------


def _places(contents: Contents) -> list[tuple[str, str]]:
    """Each fold's name and its checkpoint's path, the most finished checkpoint of a fold."""
    found: dict[str, tuple[str, str]] = {}
    for checkpoint in CHECKPOINTS:
        for name in contents.find(checkpoint):
            parts = name.split("/")
            folder = "/".join(parts[:-2])
            if (
                len(parts) < 2
                or not parts[-2].startswith("fold_")
                or posixpath.join(folder, PLANS) not in contents.names
            ):
                continue
            found.setdefault("/".join(parts[:-1]), (parts[-2].removeprefix("fold_"), name))
    return list(found.values())


def _choose(contents: Contents, fold: str | None, refuse: Refuse) -> list[tuple[str, str]]:
    """The folds of one configuration, each with its checkpoint's path."""
    places = _places(contents)
    folds = sorted({place for place, _ in places})
    if fold is not None:
        places = [one for one in places if one[0] == fold]
    if not places:
        raise refuse(f"there is no fold {fold}; there are: {', '.join(folds)}")

    def rank(one: tuple[str, str]) -> tuple[int, bool, str]:
        kinds = [n for n, kind in enumerate(_PREFERRED) if one[1].split("/")[-3:-2] and kind in one[1].split("/")[-3]]
        return (kinds[0] if kinds else len(_PREFERRED), one[0] != "all", one[1])

    first, *others = sorted(places, key=rank)
    if first[0] == "all":
        return [first]
    beside = [one for one in others if _model_folder(one) == _model_folder(first) and one[0] != "all"]
    return [first, *beside][:MAX_NETWORKS]


def _model_folder(one: tuple[str, str]) -> str:
    return posixpath.dirname(posixpath.dirname(one[1]))


def _folds(chosen: list[tuple[str, str]]) -> str:
    names = ", ".join(place for place, _ in chosen)
    return f"fold {names}" if len(chosen) == 1 else f"an ensemble of folds {names}"


def _checkpoint(contents: Contents, name: str) -> Any:
    return read_checkpoint(contents.read(name, MAX_BYTES), contents.path)


def _mirrored(checkpoint: Any, axes: _Axes) -> list[Any]:
    return [axes.name(int(axis)) for axis in checkpoint.get("inference_allowed_mirroring_axes") or ()]


# ---- the plans -------------------------------------------------------------------------------------------------------


class _Axes:
    """From the order of the axes that nnU-Net's network sees to i, j, k of the image."""

    def __init__(self, transpose: list[int], dimensions: int) -> None:
        if sorted(transpose) != [0, 1, 2] or dimensions not in (2, 3):
            raise ValueError("transpose_forward or patch_size")
        stored = [2 - axis for axis in transpose]  # network axis -> i, j, k; nnU-Net holds images as k, j, i
        self.flat = dimensions == 2
        self.across = stored[0] if self.flat else None
        self._network = stored[1:] if self.flat else stored

    def sides(self, sides: list[int]) -> tuple[int, int, int]:
        """Three numbers for i, j, k; 1 across the slices of a 2D model."""
        values = [1, 1, 1]
        for axis, side in zip(self._network, sides, strict=True):
            values[axis] = int(side)
        return values[0], values[1], values[2]

    def spacing(self, spacing: list[float], median: list[float] | None) -> tuple[float, float, float]:
        values = [1.0, 1.0, 1.0]
        for axis, side in zip(self._network, spacing, strict=True):
            values[axis] = float(side)
        if self.across is not None and median is not None:
            values[self.across] = float(median[0])
        return values[0], values[1], values[2]

    def name(self, axis: int) -> Any:
        return "xyz"[self._network[axis]]

    def kernel(self, weight: Any) -> Any:
        """A convolution's weight with its sides in the order i, j, k."""
        if weight.ndim == 4 and self.flat:
            weight = weight.unsqueeze(2)
            return weight.permute(0, 1, *(2 + place for place in self._places([self.across, *self._network])))
        return weight.permute(0, 1, *(2 + place for place in self._places(self._network)))

    @staticmethod
    def _places(order: list[Any]) -> list[int]:
        return [order.index(axis) for axis in range(3)]


def _configuration(plans: dict[str, Any], name: str, refuse: Refuse) -> dict[str, Any]:
    """The settings of a configuration, with those that it inherits."""
    settings: dict[str, Any] = {}
    seen: set[str] = set()
    following: str | None = name
    while following is not None:
        if following in seen or following not in plans["configurations"]:
            raise refuse(f"its plans have no configuration {following[:80]!r}")
        seen.add(following)
        own = plans["configurations"][following]
        settings = {**own, **settings}
        following = own.get("inherits_from")
    if settings.get("previous_stage"):
        raise refuse("it is the second stage of a cascade, which needs the first stage's answer; not supported",
                     "Import the 3d_fullres or 3d_lowres model.")  # fmt: skip
    if settings.get("preprocessor_name", "DefaultPreprocessor") != "DefaultPreprocessor":
        raise refuse(f"it prepares scans with {settings['preprocessor_name']}, which is not supported")
    return settings


def _network(settings: dict[str, Any], axes: _Axes, refuse: Refuse) -> NnunetConfig:
    if "architecture" in settings:
        name, made = settings["architecture"]["network_class_name"], settings["architecture"]["arch_kwargs"]
    else:  # plans before nnU-Net 2.5
        name, stages = settings["UNet_class_name"], len(settings["n_conv_per_stage_encoder"])
        most, base = settings["unet_max_num_features"], settings["UNet_base_num_features"]
        made = {
            "n_stages": stages, "features_per_stage": [min(base * 2**stage, most) for stage in range(stages)],
            "kernel_sizes": settings["conv_kernel_sizes"], "strides": settings["pool_op_kernel_sizes"],
            "n_conv_per_stage": settings["n_conv_per_stage_encoder"], "conv_bias": True,
            "n_blocks_per_stage": settings["n_conv_per_stage_encoder"], "norm_op": "InstanceNorm",
            "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"], "nonlin": "LeakyReLU",
            "norm_op_kwargs": {"affine": True, "eps": 1e-5},
        }  # fmt: skip
    kind = str(name).rpartition(".")[2]
    if kind not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise refuse(f"its network is {str(name)[:120]!r}; supported are PlainConvUNet and ResidualEncoderUNet")
    usual: dict[str, Callable[[Any], bool]] = {
        "norm_op": lambda value: "InstanceNorm" in str(value),
        "norm_op_kwargs": lambda value: value.get("affine") is True and value.get("eps", 1e-5) == 1e-5,
        "nonlin": lambda value: str(value).endswith("LeakyReLU"),
        "nonlin_kwargs": lambda value: (value or {}).get("negative_slope", 0.01) == 0.01,
        "dropout_op": lambda value: value is None,
        "nonlin_first": lambda value: value is False,
        "bottleneck_channels": lambda value: value is None,
        "stem_channels": lambda value: value in (None, made["features_per_stage"][0]),
    }
    for key, value in made.items():
        if key in usual and not usual[key](value):
            raise refuse(f"its network's {key} is {str(value)[:80]!r}, which is not supported")
    stages, residual = int(made["n_stages"]), kind == "ResidualEncoderUNet"

    def each(value: Any, count: int) -> list[Any]:
        return [value] * count if isinstance(value, int) else list(value)

    def sides(value: Any) -> list[tuple[int, int, int]]:
        return [axes.sides(each(one, 2 if axes.flat else 3)) for one in each(value, stages)]

    return NnunetConfig(
        features=each(made["features_per_stage"], stages), residual=residual, bias=bool(made["conv_bias"]),
        blocks=each(made["n_blocks_per_stage" if residual else "n_conv_per_stage"], stages),
        decoder_blocks=each(made["n_conv_per_stage_decoder"], stages - 1), kernels=sides(made["kernel_sizes"]),
        strides=sides(made["strides"]),
    )  # fmt: skip


def _normalisation(plans: dict[str, Any], settings: dict[str, Any], channel: int, refuse: Refuse) -> Normalisation:
    name = settings["normalization_schemes"][channel]
    if name not in _SCHEMES:
        raise refuse(f"it normalises with {str(name)[:80]!r}, which is not supported")
    scheme, masked = _SCHEMES[name], bool(settings["use_mask_for_norm"][channel])
    figures = plans.get("foreground_intensity_properties_per_channel") or plans.get(
        "foreground_intensity_properties_by_modality", {}
    )
    if scheme != "ct":
        return Normalisation(scheme=scheme, masked=masked)
    of = figures[str(channel)]
    return Normalisation(
        scheme="ct", mean=of["mean"], sd=of["std"], low=of["percentile_00_5"], high=of["percentile_99_5"]
    )  # fmt: skip


def _resampling(settings: dict[str, Any], of: str, refuse: Refuse) -> Resampling:
    function = settings[f"resampling_fn_{of}"]
    if function != _RESAMPLING:
        raise refuse(f"it resamples with {str(function)[:80]!r}, which is not supported")
    how = settings[f"resampling_fn_{of}_kwargs"]
    return Resampling(order=how["order"], across=how["order_z"], apart=how.get("force_separate_z"))


def _labels(dataset: dict[str, Any], refuse: Refuse) -> tuple[list[Label], int | None]:
    """The structures in the order of the network's outputs, and the label that was left out in training."""
    named: dict[str, list[int]] = {
        str(name): [int(v) for v in (value if isinstance(value, list) else [value])]
        for name, value in dataset["labels"].items()
    }
    ignored = next(iter(named.pop("ignore", [])), None)
    regions = any(len(values) > 1 for values in named.values())
    found = [(name, values) for name, values in named.items() if set(values) != {0}]
    if regions:
        order = [int(value) for value in dataset["regions_class_order"]]
        return [
            Label(value=value, name=name, covers=values)
            for (name, values), value in zip(found, order, strict=True)
        ], ignored  # fmt: skip
    found.sort(key=lambda one: one[1])
    if [values[0] for _, values in found] != list(range(1, len(found) + 1)):
        raise refuse("its labels are not 1, 2, 3 and so on")
    return [Label(value=values[0], name=name) for name, values in found], ignored


def _modality(channel: str) -> str:
    """DICOM's name for what nnU-Net's channel is called, or "" where that says none."""
    if re.search(r"\bCT\b", channel, re.IGNORECASE):
        return "CT"
    return "MR" if re.search(r"MRI?\b|\bT[12]|FLAIR", channel, re.IGNORECASE) else ""


def _protocol(
    contents: Contents, chosen: list[tuple[str, str]], trainer: str, plans: dict[str, Any], configuration: str
) -> str:
    files = ", ".join(sorted({posixpath.basename(name) for _, name in chosen}))
    text = (
        f"Trained with nnU-Net v2 ({trainer or 'trainer not recorded'}, {plans.get('plans_name', 'plans')},"
        f" {configuration}) and imported from it: {_folds(chosen)}, {files}. Its accuracy was not measured here."
    )
    for place, name in chosen:
        summary = posixpath.join(posixpath.dirname(name), "validation", "summary.json")
        told = contents.json(summary).get("foreground_mean") if summary in contents.names else None
        if isinstance(told, dict) and isinstance(told.get("Dice"), float):
            text += f" nnU-Net reported a mean Dice of {told['Dice']:.3f} over the validation cases of fold {place}."
    return text[:4000]


# ---- the weights -----------------------------------------------------------------------------------------------------


def _weights(given: dict[str, Any], axes: _Axes, network: NnunetConfig, refuse: Refuse) -> dict[str, Any]:
    """nnU-Net's weights under the names of our network, kernels in the order i, j, k."""
    last = len(network.features) - 2
    weights = {}
    for name, tensor in given.items():
        # Its decoder keeps the encoder a second time, its blocks keep their layers twice, and coarser heads only train.
        coarse = re.fullmatch(r"decoder\.seg_layers\.(\d+)\.\w+", name)
        if name.startswith("decoder.encoder.") or ".all_modules." in name or (coarse and int(coarse[1]) != last):
            continue
        own = name
        for pattern, ours in _NAMES:
            own, count = re.subn(pattern, ours, name)
            if count:
                break
        else:
            raise refuse(f"its weights hold {name[:120]!r}, which is no part of the network")
        weights[own] = axes.kernel(tensor) if tensor.ndim > 1 else tensor
    return weights


_LAYER = r"(conv|norm)\.(weight|bias)"
_NAMES = (
    (rf"^encoder\.stem\.convs\.0\.{_LAYER}$", r"stem.\1.\2"),
    (rf"^encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.{_LAYER}$", r"encoder.\1.\2.\3.\4"),
    (rf"^encoder\.stages\.(\d+)\.blocks\.(\d+)\.(conv[12])\.{_LAYER}$", r"encoder.\1.\2.\3.\4.\5"),
    (rf"^encoder\.stages\.(\d+)\.blocks\.(\d+)\.skip\.[01]\.{_LAYER}$", r"encoder.\1.\2.project.\3.\4"),
    (rf"^decoder\.stages\.(\d+)\.convs\.(\d+)\.{_LAYER}$", r"decoder.\1.\2.\3.\4"),
    (r"^decoder\.transpconvs\.(\d+)\.(weight|bias)$", r"up.\1.\2"),
    (r"^decoder\.seg_layers\.\d+\.(weight|bias)$", r"head.\1"),
)
