from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from core.data.plan import Label, Plan
from core.errors import ModelError
from core.imaging.reader import read
from core.inference.importing import import_model
from core.inference.package import find_package
from core.inference.predictor import segment
from core.paths import models_folder
from tests.core.inference.importing.bundles import FINISHING, INFERER, PREPARING, UNET, network_of, write_bundle
from tests.core.making import write_nifti

SEGRESNET = {"_target_": "monai.networks.nets.SegResNet", "in_channels": 1, "out_channels": 2, "init_filters": 8,
             "blocks_down": [1, 1], "blocks_up": [1]}  # fmt: skip
DYNUNET = {"_target_": "DynUNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "kernel_size": [3, 3, 3],
           "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8], "deep_supervision": True,
           "deep_supr_num": 1}  # fmt: skip


def nothing_was_imported() -> bool:
    return not models_folder().exists() or not list(models_folder().iterdir())


def oblique(shape: tuple[int, int, int]) -> np.ndarray:
    """i runs to the left, j to the feet, k backwards, all tilted by 17 degrees about one axis."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[-1.1, 0, 0], [0, 0, -2.4], [0, -0.9, 0]])
    affine[:3, 3] = (30, 12, 40)
    return affine


def write_scan(path: Path, shape: tuple[int, int, int] = (30, 36, 17)) -> Path:
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    image = 150 * np.exp(-3 * (grid**2).sum(0)) + np.random.default_rng(1).normal(0, 30, shape) - 20
    image[:3] = image[:, :2] = -50
    nib.save(nib.Nifti1Image(image.astype(np.float32), oblique(shape)), path)
    return path


def by_monai(scan: Path, network: dict[str, Any], preparing: Any, finishing: Any, inferer: Any) -> np.ndarray:
    """The same parts made by MONAI's own classes for tables, and run one after the other."""
    from monai import transforms
    from monai.inferers import SlidingWindowInferer

    def made(tree: dict[str, Any], **more: Any) -> Any:
        given = {k: "image" if v == "@image_key" else v for k, v in tree.items() if k not in ("_target_", "device")}
        return getattr(transforms, tree["_target_"].rpartition(".")[2])(**{**given, **more})

    before = transforms.Compose([made(tree) for tree in preparing])
    after = transforms.Compose([
        made(tree, **({"transform": before} if tree["_target_"] == "Invertd" else {}))
        for tree in finishing if tree["_target_"] != "SaveImaged"
    ])  # fmt: skip
    data = before({"image": str(scan)})
    windows = SlidingWindowInferer(**{k: v for k, v in inferer.items() if k != "_target_"})
    with torch.inference_mode():
        data["pred"] = windows(data["image"][None].float(), network_of(network))[0]
    return np.asarray(after(data)["pred"][0])


NORMALISED = [
    {"_target_": "LoadImaged", "keys": "image", "ensure_channel_first": True},
    {"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "margin": 2},
    {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
    {"_target_": "DivisiblePadd", "keys": "image", "k": 4},
]  # fmt: skip
PERCENTILES = [
    {"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "LPS"},
    {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image", "lower": 1, "upper": 99, "b_min": 0, "b_max": 1,
     "clip": True},
    {"_target_": "ScaleIntensityd", "keys": "image", "minv": -1.0, "maxv": 1.0},
]  # fmt: skip
NEAREST = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
]  # fmt: skip
GAUSSIAN = {**INFERER, "mode": "gaussian", "overlap": 0.25, "roi_size": [16, 24, 8]}


@pytest.mark.parametrize(
    ("network", "preparing", "finishing", "inferer"),
    [
        (UNET, PREPARING, FINISHING, INFERER),
        (UNET, PREPARING, NEAREST, GAUSSIAN),
        (SEGRESNET, NORMALISED, FINISHING, GAUSSIAN),
        (DYNUNET, PERCENTILES, NEAREST, {**INFERER, "roi_size": [16, 16, 16]}),
    ],
    ids=["unet-spacing", "unet-nearest", "segresnet-cropped", "dynunet-percentiles"],
)
def test_an_oblique_scan_is_labelled_as_monai_labels_it(
    tmp_path: Path, network: Any, preparing: Any, finishing: Any, inferer: Any
):
    outputs = {str(n): name for n, name in enumerate(["background", "Front", "Back"][: network["out_channels"]])}
    folder = write_bundle(
        tmp_path / "bundle", network=network, preparing=preparing, finishing=finishing, inferer=inferer,
        outputs=outputs,
    )  # fmt: skip
    scan = write_scan(tmp_path / "scan.nii.gz")
    wanted = by_monai(scan, network, preparing, finishing, inferer)
    package, _ = import_model(folder)
    answer = segment(read(scan), package, device="cpu")
    assert answer.labels.shape == wanted.shape == (30, 36, 17)
    assert len(np.unique(wanted)) > 1 and np.array_equal(answer.labels, wanted)
    assert answer.certainty.min() >= 0 and answer.certainty.max() <= 1 + 1e-5


def test_channels_of_a_sigmoid_are_structures(tmp_path: Path):
    finishing = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
         "nearest_interp": False},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
    ]  # fmt: skip
    network = {**UNET, "out_channels": 1}
    folder = write_bundle(tmp_path / "bundle", network=network, finishing=finishing,
                          outputs={"0": "background", "1": "Front"})  # fmt: skip
    scan = write_scan(tmp_path / "scan.nii.gz")
    package, _ = import_model(folder)
    assert [(one.name, one.value) for one in package.plan.labels] == [("Front", 1)] and package.plan.outputs == 1
    answer = segment(read(scan), package, device="cpu")
    wanted = by_monai(scan, network, PREPARING, finishing, INFERER)
    assert 0 < wanted.sum() < wanted.size and np.array_equal(answer.labels, wanted)


SMALL: dict[str, dict[str, Any]] = {
    "UNet": {"channels": [4, 8], "strides": [2]}, "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "DynUNet": {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}, "SegResNet": {},
    "SegResNetDS": {"dsdepth": 2}, "SwinUNETR": {"feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]},
    "UNETR": {"img_size": [32, 32, 32], "hidden_size": 96}, "AttentionUnet": {"channels": [4, 8], "strides": [2]},
    "VNet": {}, "HighResNet": {},
}  # fmt: skip


def test_every_network_of_the_list_is_built_without_memory():
    from core.inference.network import skeleton
    from core.models.imported.monai_net import NETWORKS, MonaiNetConfig

    plan = Plan(spacing_mm=(1, 1, 1), patch_size=(32, 32, 32), labels=[Label(value=1, name="One")])
    assert set(SMALL) == set(NETWORKS)
    for name, arguments in SMALL.items():
        made = skeleton(MonaiNetConfig(network=name, arguments=arguments), plan)
        assert all(value.is_meta for value in made.parameters()), name


def test_voxels_stay_as_they_are_where_a_bundle_says_nothing_of_them(tmp_path: Path):
    package, _ = import_model(write_bundle(tmp_path / "bundle", preparing=NORMALISED))
    assert package.any_voxels and "voxels stay as they are" in package.card
    answer = segment(read(write_scan(tmp_path / "scan.nii.gz")), package, device="cpu")
    codes = {finding.code for finding in answer.findings}
    assert {"spacing_unchecked", "orientation_unchecked"} <= codes and "spacing_unlike_training" not in codes


def test_a_window_that_the_network_cannot_take_is_told(tmp_path: Path):
    package, _ = import_model(write_bundle(tmp_path / "bundle", inferer={**INFERER, "roi_size": [15, 16, 16]}))
    with pytest.raises(ModelError, match="windows of 15 x 16 x 16"):
        segment(read(write_scan(tmp_path / "scan.nii.gz")), package, device="cpu")


@pytest.mark.parametrize("as_yaml", [False, True])
def test_a_bundle_becomes_a_package_that_says_where_it_is_from(tmp_path: Path, as_yaml: bool):
    write_bundle(tmp_path / "shapes_bundle", as_yaml=as_yaml, weights={"model": network_of(UNET).state_dict()})
    archive = Path(shutil.make_archive(str(tmp_path / "bundle"), "zip", tmp_path, "shapes_bundle"))
    package, kind = import_model(archive)
    assert "MONAI bundle" in kind and find_package("shapes_bundle") == package
    assert package.title == "Shapes in noise" and package.plan.modality == "MR"
    assert [label.name for label in package.plan.labels] == ["Front", "Back"]
    assert "mean_dice 0.5" in package.card and "not measured here" in package.card
    assert package.plan.spacing_mm == (1.5, 1.5, 2.0)


def test_parts_of_a_training_configuration_are_found(tmp_path: Path):
    folder = write_bundle(tmp_path / "bundle")
    (folder / "configs" / "inference.json").unlink()

    lists = {"keys": ["image", "label"]}
    fixed = [{**PREPARING[0], **lists}, {**PREPARING[1], **lists}, {**PREPARING[2], **lists},
             {**PREPARING[3], **lists, "mode": ["bilinear", "nearest"]}, PREPARING[4],
             {"_target_": "Lambdad", "keys": "label", "func": "$lambda x: x"}]  # fmt: skip
    (folder / "configs" / "train.json").write_text(json.dumps({
        "device": "$torch.device('cpu')", "image_key": "image", "network_def": UNET,
        "train": {"deterministic_transforms": fixed, "random_transforms": []},
        "inferer": {**INFERER, "roi_size": "$(16, 16, 16)"},
        "validate": {
            "preprocessing": {"_target_": "Compose", "transforms": "%train#deterministic_transforms"},
            "postprocessing": {"_target_": "Compose", "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "AsDiscreted", "keys": ["pred", "label"], "argmax": [True, False], "to_onehot": 3},
            ]},
        },
    }))  # fmt: skip
    package, _ = import_model(folder)
    assert [step.transform for step in package.pipeline.steps] == ["Orientation", "Spacing", "ScaleIntensityRange"]
    assert package.pipeline.steps[1].mode == "bilinear"


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def _network(**changes: Any) -> dict[str, Any]:
    return {"network": {**UNET, **changes}, "weights": {"a": torch.zeros(1)}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"network": {"_target_": "os.system", "command": "touch pwned"}, "weights": {}}, "os.system"),
        (_network(_target_="scripts.networks.Mine"), "scripts.networks.Mine"),
        (_network(_target_="FlexibleUNet"), "FlexibleUNet"),
        (_network(channels="$import os"), "would be run"),
        (_network(channels="$__import__('os').system('touch pwned')"), "would be run"),
        (_network(norm={"_target_": "os.system", "command": "touch pwned"}), "os.system"),
        (_network(channels="%../../secret.json::key"), "no part"),
        (_network(channels="@channels", strides="@absent"), "no part"),
        (_network(num_res_units=10**9), "num_res_units"),
        (_network(channels=[4]), "cannot be built"),
        (_network(what=1), "no argument 'what'"),
        (_network(spatial_dims=2), "flat images"),
        ({"extra": {"network_def": "@a", "a": "@b", "b": "@a"}}, "refers to itself"),
        ({"preparing": [{"_target_": "subprocess.run", "args": "touch pwned"}]}, "subprocess.run"),
        ({"preparing": [{"_target_": "Lambdad", "keys": "image", "func": "$lambda x: os.system('touch pwned')"}]},
         "would be run"),
        ({"preparing": [{"_target_": "RandFlipd", "keys": "image"}]}, "RandFlip"),
        ({"preparing": [{"_target_": "ScaleIntensityd", "keys": "image", "new": 1}]}, "'new'"),
        ({"preparing": [{"_target_": "Spacingd", "keys": "image", "pixdim": [1e-9, 1, 1]}]}, "pixdim"),
        ({"preparing": [{"_target_": "CropForegroundd", "keys": "image", "select_fn": "$lambda x: x > 7"}]},
         "would be run"),
        ({"preparing": [{"_target_": "ScaleIntensityd", "keys": "image", "_disabled_": "$os.system('touch pwned')"}]},
         "would be run"),
        ({"finishing": [{"_target_": "KeepLargestConnectedComponentd", "keys": "pred"}]}, "KeepLargest"),
        ({"inferer": {"_target_": "SimpleInferer"}}, "SimpleInferer"),
        ({"inferer": {**INFERER, "roi_size": [4000, 4000, 4000]}}, "patch_size"),
        ({"inferer": {**INFERER, "overlap": 1.0}}, "overlap"),
        ({"inputs": {"image": {"num_channels": 40}}}, "40 images of a subject"),
        ({"inputs": {"image": {"num_channels": 1}, "other": {"num_channels": 1}}}, "2 images of a subject"),
        ({"outputs": {"7": "Far"}}, "3 outputs"),
        ({"weights": {"state_dict": {"a": Evil()}}}, "not plain data"),
        ({"weights": {"a": torch.zeros(3)}}, "do not fit"),
        ({"weights": False}, "missing"),
    ],
)  # fmt: skip
def test_what_is_hostile_or_unknown_is_refused_by_name_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
):
    monkeypatch.chdir(tmp_path)
    folder = write_bundle(tmp_path / "bundle", **changes)
    with pytest.raises(ModelError, match=told):
        import_model(folder)
    assert not (tmp_path / "pwned").exists() and nothing_was_imported()


def test_torchscript_is_refused_with_the_reason(tmp_path: Path):
    folder = write_bundle(tmp_path / "bundle", weights=False)
    (folder / "models" / "model.ts").write_bytes(b"PK")
    with pytest.raises(ModelError, match="TorchScript"):
        import_model(folder)
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "models" / "model.pt"))
    with pytest.raises(ModelError, match="TorchScript"):
        import_model(folder)


@pytest.mark.parametrize("name", ["../configs/inference.json", "/configs/inference.json", "..\\inference.json"])
def test_an_archive_with_paths_outside_of_itself_is_refused(tmp_path: Path, name: str):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("bundle/configs/inference.json", "{}")
        made.writestr(name, "{}")
    with pytest.raises(ModelError, match="outside of itself"):
        import_model(path)


def test_a_bomb_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("configs/metadata.json", "{}")
        made.writestr("configs/inference.json", b" " * 15_000_000)
    with pytest.raises(ModelError, match="larger than"):
        import_model(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "&a [*a]", "!!python/object/apply:os.system ['touch x']"])
def test_damaged_configurations_are_refused(tmp_path: Path, text: str):
    folder = write_bundle(tmp_path / "bundle", as_yaml=True)
    (folder / "configs" / "inference.yaml").write_text(text)
    with pytest.raises(ModelError):
        import_model(folder)
    assert nothing_was_imported()


def test_a_bundle_of_several_images_sees_them_all(tmp_path: Path):
    network = {**UNET, "in_channels": 2}
    told = {"image": {"num_channels": 2, "modality": "MR", "channel_def": {"0": "T1", "1": "FLAIR"}}}
    package, _ = import_model(write_bundle(tmp_path / "bundle", network=network, inputs=told))
    assert package.plan.channels == 2 and package.plan.named_channels == ["T1", "FLAIR"]
    both = np.random.default_rng(0).normal(20, 30, (24, 20, 18, 2)).astype(np.float32)
    first = segment(read(write_nifti(tmp_path / "a.nii.gz", both)), package, device="cpu")
    both[..., 1] = both[::-1, ..., 1]
    second = segment(read(write_nifti(tmp_path / "b.nii.gz", both)), package, device="cpu")
    assert first.labels.shape == (24, 20, 18) and np.abs(first.certainty - second.certainty).max() > 1e-3
