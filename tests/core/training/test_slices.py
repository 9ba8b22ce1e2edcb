"""Networks that see one slice at a time: planned for data of few slices, trained, and predicted slice by slice."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from core import config, registry
from core.config import AugmentConfig
from core.data.augment import Pose
from core.data.dataset import inspect
from core.errors import ConfigError
from core.inference.predictor import predict_file
from core.inference.publish import publish
from core.training.launch import execute, prepare_run
from core.training.layout import lay_out_for_cpu
from core.training.planning import propose
from tests.core.making import TINY, make_dataset, networks_of_slices, tiny_experiment, write_nifti

SLICED = networks_of_slices()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The middle slice of each ball."""
    folder = make_dataset(tmp_path / "data", size=32)
    for file in [*(folder / "images").iterdir(), *(folder / "labels").iterdir()]:
        write_nifti(file, np.asarray(nib.load(file).dataobj)[:, :, 15:16])
    return folder


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("name", SLICED)
def test_each_slice_is_answered_by_itself(name: str, axis: str) -> None:
    torch.manual_seed(0)
    network = registry.part("model", name)(**TINY[name], slices=axis)
    built = network.build(1, 3)
    lay_out_for_cpu(built)
    sides = [3 if of == axis else 2 * max(network.divisor) for of in "xyz"]
    assert [side % step for side, step in zip(sides, network.divisor, strict=True)] == [0, 0, 0]
    image = torch.randn(2, 1, *sides)
    built.eval()
    where = 2 + "xyz".index(axis)
    with torch.inference_mode():
        whole = built(image)
        alone = torch.cat([built(one) for one in image.split(1, where)], where)
    assert whole.shape == (2, 3, *sides) and torch.allclose(whole, alone, atol=1e-5)


def test_a_single_slice_is_turned_in_its_plane_only() -> None:
    config, rng = AugmentConfig(rotate_deg=90, scale=0.5), np.random.default_rng(1)
    poses = [Pose.draw(config, (1, 1, 5), rng, flat=2) for _ in range(60)]
    drawn = [pose.matrix for pose in poses if pose is not None]
    assert len(drawn) > 5
    for matrix in drawn:
        assert np.allclose(matrix[2], (0, 0, 1)) and np.allclose(matrix[:, 2], (0, 0, 1))


def test_data_of_single_slices_is_planned_for_a_2d_network(pictures: Path) -> None:
    tree = config.to_tree(tiny_experiment(pictures))
    tree["data"]["patch_size"] = tree["model"]["channels"] = None
    proposal = propose(config.parse(tree), inspect(pictures))
    assert proposal.experiment.model.slices == "z" and proposal.plan.patch_size == (32, 32, 1)
    assert "a single slice along z" in proposal.reasons()


@pytest.mark.parametrize("name", sorted({*registry.parts("model")} - {*SLICED, "nnunet"}))
def test_a_network_of_volumes_is_refused_for_single_slices(pictures: Path, name: str) -> None:
    tree = config.to_tree(tiny_experiment(pictures))
    tree["data"]["patch_size"], tree["model"] = None, {"name": name}
    with pytest.raises(ConfigError, match=f"a single slice along z, and {name} sees volumes only") as refused:
        propose(config.parse(tree), inspect(pictures))
    assert ", ".join(SLICED) in refused.value.mend


def test_a_network_whose_strides_leave_an_axis_alone_takes_single_slices(pictures: Path) -> None:
    tree = config.to_tree(tiny_experiment(pictures))
    flat = {"features": [4, 8], "blocks": [1, 1], "decoder_blocks": [1], "kernels": [[3, 3, 1]] * 2}
    tree["data"]["patch_size"] = None
    tree["model"] = {"name": "nnunet", **flat, "strides": [[1, 1, 1], [2, 2, 1]]}
    assert propose(config.parse(tree), inspect(pictures)).plan.flat == 2


@pytest.mark.parametrize("name", SLICED)
def test_every_network_of_slices_is_planned_for_data_of_single_ones(pictures: Path, name: str) -> None:
    tree = config.to_tree(tiny_experiment(pictures))
    tree["data"]["patch_size"], tree["model"] = None, {"name": name}
    proposal = propose(config.parse(tree), inspect(pictures))
    assert proposal.experiment.model.slices == "z" and proposal.plan.patch_size[2] == 1


def test_a_patch_of_one_slice_asks_for_a_2d_network(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data")
    tree = config.to_tree(tiny_experiment(folder))
    tree["data"]["patch_size"] = [16, 1, 16]
    proposal = propose(config.parse(tree), inspect(folder))
    assert proposal.experiment.model.slices == "y" and proposal.plan.patch_size == (16, 1, 16)


@pytest.mark.parametrize("model", [{"name": "unet", "channels": [8, 16, 16]}, {"name": "segresnet", "width": 8}])
def test_single_slices_are_learned_published_and_predicted(
    pictures: Path, tmp_path: Path, model: dict[str, object]
) -> None:
    tree = config.to_tree(tiny_experiment(pictures, epochs=12, patches_per_case=4, validate_every=12, ema=0.9))
    tree["data"]["patch_size"] = [32, 32, 1]
    tree["model"] = model
    tree["optimizer"]["lr"] = 1e-2
    run = execute(prepare_run(config.parse(tree)))
    assert run.summary["val/dice"] > 0.7
    package = publish(run.id)
    answer = predict_file(pictures / "images" / "ball_00.nii.gz", package, tmp_path / "out", device="cpu")
    found = np.asarray(nib.load(answer.output).dataobj)
    truth = np.asarray(nib.load(pictures / "labels" / "ball_00.nii.gz").dataobj)
    assert found.shape == truth.shape == (32, 32, 1)
    assert (found == truth).mean() > 0.9
