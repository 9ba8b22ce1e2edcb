"""The parts of a MONAI bundle's configuration that a prediction needs: network, transforms, windows, answer."""

from __future__ import annotations

from typing import Any

from core.inference.importing.monai_config import FLOAT32, POSITIVE, TARGET, BundleConfig, Refuse
from core.inference.pipelines.monai import Answer, Windows
from core.inference.pipelines.monai_steps import STEPS
from core.models.imported.monai_net import NETWORKS, MonaiNetConfig, known_arguments

_SPELLED = {name.lower(): name for name in NETWORKS}
# Reading, the order of axes and types: the scan is there already, channel first, in float32.
_READING = {"LoadImage", "EnsureChannelFirst", "AddChannel", "EnsureType", "CastToType", "ToTensor", "ToDevice",
            "Identity"}  # fmt: skip
_READERS = (None, "NibabelReader", "ITKReader", "nibabelreader", "itkreader")
# Arguments of transforms on tables that say which entries they are for.
_TABLE = {TARGET, "keys", "allow_missing_keys", "_disabled_", "_desc_", "_requires_"}
_EACH = {"mode", "padding_mode", "align_corners", "dtype", "nearest_interp", "argmax", "threshold", "softmax",
         "sigmoid", "to_onehot"}  # fmt: skip


def network(config: BundleConfig, inputs: int, refuse: Refuse) -> tuple[MonaiNetConfig, int]:
    """The network and the number of its outputs."""
    key = next((key for key in ("network_def", "network", "net") if config.has(key)), None)
    if key is None:
        raise refuse(f"{config.name} names no network (network_def)")
    tree = config.part(key)
    if not isinstance(tree, dict) or TARGET not in tree:
        raise refuse(f"{config.name}: {key} is not a network by its class, but {str(tree)[:120]!r}")
    name = _network_name(str(tree[TARGET]), refuse)
    given = {
        argument: config.plain(value, f"{name}'s {argument}")
        for argument, value in tree.items()
        if argument not in (TARGET, "_desc_", "_disabled_", "_requires_")
    }
    if given.pop("dimensions", given.pop("spatial_dims", 3)) != 3:
        raise refuse(f"its {name} is for flat images; only networks for volumes are supported")
    if given.pop("in_channels", inputs) != inputs:
        raise refuse("the network and metadata.json disagree on the number of input images")
    outputs = given.pop("out_channels", None)
    if not isinstance(outputs, int) or not 1 <= outputs <= 512:
        raise refuse(f"{name} says not how many outputs it has (out_channels)")
    takes = known_arguments(name)
    for argument in ("img_size", "pos_embed"):  # of earlier versions, without a meaning since
        if argument not in takes:
            given.pop(argument, None)
    for argument in given.keys() - takes:
        raise refuse(f"{name} takes no argument {argument[:80]!r}")
    return MonaiNetConfig(network=name, arguments=given), outputs


def steps(config: BundleConfig, key: str, image: str, refuse: Refuse) -> list[dict[str, Any]]:
    """The transforms of a preprocessing as trees of pipeline steps."""
    found = []
    for name, given in _transforms(config, key, image, refuse):
        if name in _READING:
            _check_reading(name, given, refuse)
        elif name not in STEPS:
            raise refuse(f"it prepares scans with {name!r}, which is not supported")
        else:
            found.append({"transform": name, **_arguments(name, given, image, refuse)})
    return found


def windows(config: BundleConfig, refuse: Refuse) -> tuple[tuple[int, int, int], Windows]:
    """The window's size, and how windows are laid and blended."""
    tree = config.part("inferer")
    name = _class(tree, "monai.inferers", refuse)
    if name not in ("SlidingWindowInferer", "SlidingWindowInfererAdapt"):
        raise refuse(f"it predicts with {name!r}; supported is SlidingWindowInferer")
    given = {
        argument: config.plain(tree[argument], f"{name}'s {argument}")
        for argument in ("roi_size", *Windows.model_fields)
        if argument in tree
    }
    size = given.pop("roi_size", None)
    size = [size] * 3 if isinstance(size, int) else size
    if not isinstance(size, list) or len(size) != 3 or not all(isinstance(n, int) and n > 0 for n in size):
        raise refuse(f"its window (roi_size) is {str(size)[:80]}; three sides in voxels are needed")
    return (size[0], size[1], size[2]), Windows.model_validate(given)


def answer(config: BundleConfig, key: str, outputs: int, refuse: Refuse) -> Answer:
    """How labels are made; what a bundle leaves open is what MONAI's examples do."""
    how: dict[str, Any] = {}
    discrete = False
    for name, given in _transforms(config, key, "pred", refuse) if config.has(key.split("#")[0]) else []:
        if name == "Activations":
            if given.get("other") is not None:
                raise refuse("its Activations runs a function of its own")
            chosen = [kind for kind in ("softmax", "sigmoid") if given.get(kind) is True]
            how["activation"] = chosen[0] if chosen else "none"
        elif name == "AsDiscrete":
            discrete = True
            if given.get("rounding") is not None:
                raise refuse("its AsDiscrete rounds, which is not supported")
            how["threshold"] = None if given.get("argmax") else given.get("threshold")
            if given.get("argmax") and given.get("threshold") is not None:
                raise refuse("its AsDiscrete takes the largest and a threshold at once, which is not supported")
        elif name == "Invert":
            how |= {"invert": "labels" if discrete else "probabilities", "nearest": given.get("nearest_interp", True)}
        elif name not in (*_READING, "SaveImage", "DeleteItems"):
            raise refuse(f"it changes answers with {name!r}, which is not supported")
    how.setdefault("activation", "sigmoid" if outputs == 1 else "softmax")
    if not discrete and (outputs == 1 or how["activation"] == "sigmoid"):
        how["threshold"] = 0.5
    made = Answer.model_validate(how)
    if made.threshold is None and outputs == 1:
        raise refuse("its network has one output, of which the largest says nothing")
    return made


# ---- transforms ------------------------------------------------------------------------------------------------------


def _transforms(config: BundleConfig, key: str, entry: str, refuse: Refuse) -> list[tuple[str, dict[str, Any]]]:
    """The name (without the d of those for tables) and the arguments of each that is for `entry`."""
    tree = config.part(key)
    if isinstance(tree, dict):
        if _class(tree, "monai.transforms", refuse) != "Compose":
            raise refuse(f"{config.name}: {key} is no Compose of transforms")
        tree = config.follow(tree.get("transforms"))
    if not isinstance(tree, list):
        raise refuse(f"{config.name}: {key} is no list of transforms")
    found = []
    for one in map(config.follow, tree):
        name = _class(one, "monai.transforms", refuse)
        if config.plain(one.get("_disabled_", False), f"{name}'s _disabled_") in (True, "true", "True"):
            continue
        of_table = "keys" in one
        name = name.removesuffix("Dict").removesuffix("D").removesuffix("d") if of_table else name
        wanted = _known_arguments(name)
        keys = config.plain(one.get("keys", entry), f"{name}'s keys")
        keys = keys if isinstance(keys, list) else [keys]
        if entry not in keys:
            continue
        given = {
            argument: config.plain(value, f"{name}'s {argument}")
            for argument, value in one.items()
            if argument not in _TABLE and (wanted is None or argument in wanted)
        }
        if len(keys) > 1:
            place = keys.index(entry)
            given = {a: v[place] if a in _EACH and isinstance(v, list) and len(v) == len(keys) else v
                     for a, v in given.items()}  # fmt: skip
        found.append((name, given))
    return found


def _known_arguments(name: str) -> tuple[str, ...] | None:
    """Which arguments of what makes no difference to voxels are looked at at all; None: all of them."""
    if name in ("SaveImage", "DeleteItems", "ToDevice", "ToTensor", "Identity", "EnsureChannelFirst", "AddChannel"):
        return ()
    return {"Invert": ("nearest_interp",), "EnsureType": ("dtype",), "CastToType": ("dtype",),
            "LoadImage": ("reader", "dtype")}.get(name)  # fmt: skip


def _check_reading(name: str, given: dict[str, Any], refuse: Refuse) -> None:
    if given.get("dtype") not in (None, FLOAT32):
        raise refuse(f"its {name} makes voxels {given['dtype']!r}; only float32 is supported")
    if given.get("reader") not in _READERS:
        raise refuse(f"it reads scans with {given['reader']!r}, which is not supported")


def _arguments(name: str, given: dict[str, Any], image: str, refuse: Refuse) -> dict[str, Any]:
    """A step's arguments, without those that are as we do it anyway."""
    given = dict(given)
    if given.pop("lazy", False) not in (False, None):
        raise refuse(f"its {name} is lazy, which is not supported")
    if name == "CropForeground":
        if given.pop("source_key", image) != image or given.pop("channel_indices", None) is not None:
            raise refuse("its CropForeground looks for the foreground elsewhere than in the scan")
        if given.pop("select_fn", POSITIVE) != POSITIVE:
            raise refuse("its CropForeground selects with a function of its own")
        given.pop("start_coord_key", None)
        given.pop("end_coord_key", None)
    if name == "Orientation":
        if given.pop("as_closest_canonical", False) is True:
            given["axcodes"] = "RAS"
        given.pop("labels", None)
    if name == "Spacing" and isinstance(given.get("pixdim"), int | float):
        given["pixdim"] = [given["pixdim"]] * 3
    if name == "Spacing":
        given.pop("dtype", None)  # of the resampling's own arithmetic
    elif given.pop("dtype", None) not in (None, FLOAT32):
        raise refuse(f"its {name} makes voxels other than float32, which is not supported")
    for argument in given.keys() - STEPS[name].model_fields.keys():
        raise refuse(f"its {name} has {argument[:80]!r}, which is not supported")
    return given


# ---- classes ---------------------------------------------------------------------------------------------------------


def _class(tree: Any, package: str, refuse: Refuse) -> str:
    """The name of a class of MONAI's. Raises ModelError for any other."""
    if not isinstance(tree, dict) or not isinstance(tree.get(TARGET), str):
        raise refuse(f"{str(tree)[:120]!r} is no class of {package}")
    path, _, name = tree[TARGET].rpartition(".")
    if path and path != package and not path.startswith(f"{package}."):
        raise refuse(f"it would run {tree[TARGET][:120]!r}, which is not of {package}")
    return str(name)


def _network_name(target: str, refuse: Refuse) -> Any:
    name = _SPELLED.get(_class({TARGET: target}, "monai.networks.nets", refuse).lower())
    if name is None:
        raise refuse(f"its network is {target[:120]!r}; supported are {', '.join(NETWORKS)}")
    return name
