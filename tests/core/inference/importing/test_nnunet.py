from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.control import JobControl
from core.errors import ModelError, UnsuitableScan
from core.imaging.reader import read
from core.inference.importing import import_model
from core.inference.importing.contents import Contents
from core.inference.importing.nnunet import read_nnunet
from core.inference.package import find_package
from core.inference.predictor import segment
from core.paths import models_folder
from tests.core.inference.importing.making import weights_of, write_model
from tests.core.making import write_nifti


def nothing_was_imported() -> bool:
    return not models_folder().exists() or not list(models_folder().iterdir())


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_a_trained_model_becomes_a_package_that_predicts(tmp_path: Path, dimensions: int, residual: bool):
    package, kind = import_model(write_model(tmp_path / "trained", dimensions=dimensions, residual=residual))
    assert kind.startswith("nnU-Net v2") and find_package("shapes") == package
    assert package.mean_dice is None and "not measured" in package.summary
    assert "not stated" in package.card and "Not measured" in package.card
    image = np.random.default_rng(0).normal(10, 3, size=(20, 18, 9)).astype(np.float32)
    scan = write_nifti(tmp_path / "scan.nii.gz", image, np.diag([1.2, 0.9, 2.0, 1.0]))
    answer = segment(read(scan), package, device="cpu", mirror=False)
    assert answer.labels.shape == image.shape and {1, 2} & set(np.unique(answer.labels).tolist())
    assert answer.certainty.min() > 0 and answer.certainty.max() <= 1 + 1e-6
    assert "orientation_unchecked" in [finding.code for finding in answer.findings]


def test_a_model_of_several_images_normalises_each_by_its_own_scheme(tmp_path: Path):
    figures = {"mean": 40.0, "std": 10.0, "percentile_00_5": 0.0, "percentile_99_5": 100.0}
    package, _ = import_model(
        write_model(
            tmp_path / "trained",
            weights=weights_of(inputs=2),
            dataset={"channel_names": {"0": "T1", "1": "CT"}},
            settings={
                "normalization_schemes": ["ZScoreNormalization", "CTNormalization"],
                "use_mask_for_norm": [True, False],
            },
            plans={"foreground_intensity_properties_per_channel": {"0": figures, "1": figures}},
        )
    )
    assert package.plan.channels == 2 and package.plan.channel_names == ["T1", "CT"]
    assert "2 images (T1, CT) of a subject" in package.card
    rng = np.random.default_rng(0)
    first, second = (rng.normal(40, 10, (20, 18, 16)).astype(np.float32) for _ in range(2))
    first[:3] = second[:3] = 0
    second[2] = 50.0  # not zero in one of them is not zero: the box begins here
    scan = write_nifti(tmp_path / "both.nii.gz", np.stack([first, second], axis=-1))
    seen: list[np.ndarray] = []

    class Watching:
        device, window = "cpu", None

        def __call__(self, window: np.ndarray) -> np.ndarray:
            seen.append(window)
            return np.zeros((3, *window.shape[1:]), np.float32)

    package.pipeline.segment(read(scan), package, Watching(), False, JobControl())
    cut = first[2:]
    assert seen[0].shape == (2, 16, 16, 16)
    mask = np.ones(cut.shape, bool)
    expected = (cut - cut[mask].mean()) / cut[mask].std()
    assert seen[0][0, :, :16, :16] == pytest.approx(expected[:16, :16, :16], abs=1e-4)
    assert seen[0][1] == pytest.approx((np.clip(second[2:], 0, 100)[:16, :16, :16] - 40) / 10, abs=1e-4)
    with pytest.raises(UnsuitableScan, match=r"2 images \(T1, CT\)"):
        segment(read(write_nifti(tmp_path / "one.nii.gz", first)), package)


def test_the_network_answers_as_the_layers_that_its_weights_name(tmp_path: Path):
    """The same layers by torch's functions, on nnU-Net's own order of axes (k, j, i)."""
    import torch
    from torch.nn import functional

    from core.inference.network import load_network

    given = weights_of()
    package, _ = import_model(write_model(tmp_path / "trained", weights=given))
    image = torch.randn(1, 1, 16, 8, 12)

    def block(layer: str, value: Any, stride: int = 1) -> Any:
        value = functional.conv3d(value, given[f"{layer}.conv.weight"], given[f"{layer}.conv.bias"], stride, 1)
        value = functional.instance_norm(value, None, None, given[f"{layer}.norm.weight"], given[f"{layer}.norm.bias"])
        return functional.leaky_relu(value, 0.01)

    with torch.inference_mode():
        fine = block("encoder.stages.0.0.convs.0", image)
        coarse = block("encoder.stages.1.0.convs.0", fine, 2)
        up = functional.conv_transpose3d(
            coarse, given["decoder.transpconvs.0.weight"], given["decoder.transpconvs.0.bias"], 2
        )
        both = block("decoder.stages.0.convs.0", torch.cat((up, fine), 1))
        wanted = functional.conv3d(both, given["decoder.seg_layers.0.weight"], given["decoder.seg_layers.0.bias"])
        found = load_network(package)(image.permute(0, 1, 4, 3, 2)).permute(0, 1, 4, 3, 2)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_axes_are_those_of_the_image_whatever_the_plan_transposes(tmp_path: Path):
    folder = write_model(
        tmp_path / "trained",
        plans={"transpose_forward": [1, 2, 0]},  # j, i, k of the image
        settings={"patch_size": [8, 16, 32], "spacing": [1.0, 2.0, 3.0]},
    )
    found = read_nnunet(Contents(folder))
    assert found.plan.patch_size == (16, 8, 32)
    assert found.plan.spacing_mm == (2.0, 1.0, 3.0)
    assert found.mirror_axes == ["y", "x", "z"]


def test_a_model_of_slices_sees_one_slice_at_a_time(tmp_path: Path):
    found = read_nnunet(Contents(write_model(tmp_path / "trained", dimensions=2)))
    assert found.plan.patch_size == (16, 16, 1) and found.plan.spacing_mm == (1.0, 1.0, 2.0)
    assert found.pipeline.keep_axis == 2


def test_regions_keep_what_they_cover_and_their_order(tmp_path: Path):
    folder = write_model(
        tmp_path / "trained", weights=weights_of(outputs=2),
        dataset={"labels": {"background": 0, "Whole": [1, 2], "Core": [2], "ignore": 3}, "regions_class_order": [1, 2]},
    )  # fmt: skip
    package, _ = import_model(folder)
    assert [(one.name, one.value, one.covers) for one in package.plan.labels] == [
        ("Whole", 1, [1, 2]), ("Core", 2, [2])
    ]  # fmt: skip
    assert package.plan.overlapping and package.plan.outputs == 2 and package.plan.ignore_label == 3
    scan = write_nifti(tmp_path / "scan.nii.gz", np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32))
    answer = segment(read(scan), package, device="cpu", mirror=False)
    whole, core = answer.structures
    assert whole.voxels == np.isin(answer.labels, (1, 2)).sum() and core.voxels == (answer.labels == 2).sum()


def test_an_export_of_several_configurations_gives_the_full_resolution(tmp_path: Path):
    root = tmp_path / "results"
    for dimensions, name in ((2, "2d"), (3, "3d_fullres")):
        write_model(root / "Dataset501_Shapes" / f"nnUNetTrainer__nnUNetPlans__{name}", dimensions=dimensions)
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in root.rglob("*"):
            made.write(file, file.relative_to(root))
    package, kind = import_model(path, name="My Shapes")
    assert "3d_fullres" in kind and package.name == "my-shapes"


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("where", ["trainer_name", "logging", "network_weights"])
def test_a_checkpoint_with_code_is_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    monkeypatch.chdir(tmp_path)
    folder = write_model(tmp_path / "trained", extra={where: {"a": Evil()}})
    with pytest.raises(ModelError, match="not plain data"):
        import_model(folder)
    assert not (tmp_path / "pwned").exists() and nothing_was_imported()


def test_numpy_objects_are_refused(tmp_path: Path):
    folder = write_model(tmp_path / "trained", extra={"logging": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ModelError, match="not plain data"):
        import_model(folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": {"channel_names": {"0": "T1", "1": "FLAIR"}}}, "not a sound"),  # settings for one of them only
        ({"dataset": {"channel_names": {}}}, "0 images of a subject"),
        ({"settings": {"normalization_schemes": ["MyOwn"]}}, "MyOwn"),
        ({"settings": {"resampling_fn_data": "resample_torch"}}, "resample_torch"),
        ({"settings": {"previous_stage": "3d_lowres"}}, "cascade"),
        ({"settings": {"architecture": {"network_class_name": "os.system", "arch_kwargs": {}}}}, "os.system"),
        ({"settings": {"preprocessor_name": "MyPreprocessor"}}, "MyPreprocessor"),
        ({"settings": {"patch_size": [4000, 4000, 4000]}}, "patch_size"),
        ({"settings": {"spacing": ["a", 1, 1]}}, "not a sound"),
        ({"plans": {"image_reader_writer": "NaturalImage2DIO"}}, "NaturalImage2DIO"),
        ({"plans": {"transpose_forward": [0, 0, 1]}}, "transpose_forward"),
        ({"plans": {"configurations": {}}}, "configuration"),
        ({"weights": weights_of(residual=True)}, "no part of the network|do not fit"),
        ({"weights": {**weights_of(), "extra.weight": weights_of()["decoder.seg_layers.0.bias"]}}, "extra.weight"),
        ({"extra": {"network_weights": {}}}, "no weights"),
        ({"extra": {"init_args": None}}, "not a sound"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], told: str):
    with pytest.raises(ModelError, match=told):
        import_model(write_model(tmp_path / "trained", **changes))
    assert nothing_was_imported()


def test_a_fold_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match="no fold 3; there are: 0"):
        import_model(write_model(tmp_path / "trained"), fold="3")


def with_folds(folder: Path, count: int) -> Path:
    """Further folds beside fold 0, each with weights of its own."""
    write_model(folder)
    for fold in range(1, count):
        other = write_model(folder.parent / f"other{fold}", weights=weights_of(seed=1 + fold))
        (other / "fold_0").rename(folder / f"fold_{fold}")
    return folder


def test_all_folds_are_one_ensemble_that_answers_as_their_mean(tmp_path: Path):
    from core.inference.runtime import load

    folder = with_folds(tmp_path / "trained", 3)
    package, kind = import_model(folder)
    assert "ensemble of folds 0, 1, 2" in kind and len(package.networks) == 3
    assert "folds 0, 1, 2" in package.card and "3 networks" in package.summary
    window = np.random.default_rng(0).normal(size=(1, 16, 16, 16)).astype(np.float32)
    alone = [import_model(folder, fold=str(fold), name=f"fold{fold}")[0] for fold in range(3)]
    assert [len(one.networks) for one in alone] == [1, 1, 1]
    answers = [load(one, "cpu")(window) for one in alone]
    assert not np.allclose(answers[0], answers[1], atol=0.1)
    assert np.allclose(load(package, "cpu")(window), np.mean(answers, axis=0), atol=1e-5)


def test_folds_that_do_not_fit_each_other_are_refused(tmp_path: Path):
    folder = with_folds(tmp_path / "trained", 2)
    import torch

    path = folder / "fold_1" / "checkpoint_final.pth"
    changed = torch.load(path, weights_only=False)
    changed["inference_allowed_mirroring_axes"] = ()
    torch.save(changed, path)
    with pytest.raises(ModelError, match="fold 1 was trained otherwise"):
        import_model(folder)
    assert nothing_was_imported()
    assert len(import_model(folder, fold="1")[0].networks) == 1


def test_damaged_files_are_refused(tmp_path: Path):
    folder = write_model(tmp_path / "trained")
    checkpoint = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cut short or damaged"):
        import_model(folder)
    with pytest.raises(ModelError, match="no such file or folder"):
        import_model(tmp_path / "nowhere.zip")
    (folder / "plans.json").write_text("[" * 100_000)
    with pytest.raises(ModelError):
        import_model(folder)
    assert nothing_was_imported()
