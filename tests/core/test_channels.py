"""Several images of a subject, from the data set to the prediction: each structure shows in one of two images only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import config
from core.catalog import Catalog
from core.cli import main
from core.data.dataset import inspect
from core.data.plan import load_plan
from core.errors import ConfigError, UnsuitableScan
from core.imaging.channels import files_of_subject, read_subject
from core.imaging.reader import read
from core.inference.evaluate import evaluate
from core.inference.package import ModelPackage
from core.inference.predictor import predict_file, segment
from core.inference.publish import publish
from core.training.launch import execute, prepare_run
from tests.core.making import ball_case, tiny_experiment, write_nifti

Array = np.ndarray[Any, Any]
NAMES = {"0": "T1", "1": "FLAIR"}


def two_images(seed: int) -> tuple[Array, Array, Array]:
    """The first ball in the first image, the second in the second, and the label map of both."""
    _, label = ball_case(seed)
    noise = np.random.default_rng(seed).normal(0, 10, (2, *label.shape)).astype(np.float32)
    return noise[0] + 60.0 * (label == 1), noise[1] + 60.0 * (label == 2), label


def make(folder: Path, *, as_one: bool, cases: int = 6) -> Path:
    """A data set as nnU-Net lays it out, or with one 4D file a case as the Decathlon does."""
    for number in range(cases):
        first, second, label = two_images(number)
        if as_one:
            write_nifti(folder / "imagesTr" / f"ball_{number}.nii.gz", np.stack([first, second], axis=-1))
        else:
            write_nifti(folder / "imagesTr" / f"ball_{number}_0000.nii.gz", first)
            write_nifti(folder / "imagesTr" / f"ball_{number}_0001.nii.gz", second)
        write_nifti(folder / "labelsTr" / f"ball_{number}.nii.gz", label)
    names = {"modality" if as_one else "channel_names": NAMES}
    labels = {"0": "background", "1": "Left", "2": "Right"} if as_one else {"background": 0, "Left": 1, "Right": 2}
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, **names}))
    return folder


def experiment(folder: Path, **trainer: Any) -> Any:
    tree = config.to_tree(tiny_experiment(folder, **trainer))
    tree["optimizer"]["lr"], tree["model"]["channels"] = 5e-3, [8, 16, 16]
    return config.parse(tree)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A home folder with a run on two images of each subject, the run's id, and the name of its model."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(home))
        data = make(tmp_path_factory.mktemp("data"), as_one=False)
        run = execute(prepare_run(experiment(data, epochs=30, validate_every=30, ema=0.9, patches_per_case=4)))
        package = publish(run.id, name="both")
    return home, run.id, package.name


@pytest.fixture
def package(trained: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch) -> ModelPackage:
    from core.inference.package import find_package

    monkeypatch.setenv("ISOCENTER_HOME", str(trained[0]))
    return find_package(trained[2])


def test_what_shows_in_either_image_is_learned(trained: tuple[Path, str, str], package: ModelPackage) -> None:
    with Catalog() as catalog:
        run = catalog.run(trained[1])
    assert run.summary["val/dice/Left"] > 0.7 and run.summary["val/dice/Right"] > 0.7
    plan = load_plan(run.folder)
    assert (
        (plan.channels, plan.channel_names)
        == (2, ["T1", "FLAIR"])
        == (package.plan.channels, package.plan.channel_names)
    )
    assert "2 images (T1, FLAIR) of a subject" in package.card
    assert evaluate(trained[1], Path(run.data_path), split="val")["metrics"]["test/dice"] > 0.7


def test_both_layouts_hold_the_same(tmp_path: Path) -> None:
    apart, together = (inspect(make(tmp_path / name, as_one=name == "one")) for name in ("two", "one"))
    assert apart.usable and together.usable
    assert apart.channels == together.channels == ("T1", "FLAIR")
    assert [f.content for f in apart.facts.values()] == [f.content for f in together.facts.values()]
    assert "of 2 images (T1, FLAIR)" in apart.summary()


def test_a_case_that_lacks_an_image_is_named(tmp_path: Path) -> None:
    data = make(tmp_path / "data", as_one=False)
    (data / "imagesTr" / "ball_3_0001.nii.gz").unlink()
    found = inspect(data)
    assert not found.usable
    assert any("ball_3_0001 is missing" in finding.message for finding in found.findings)
    (data / "imagesTr" / "ball_4_0000.nii.gz").unlink()
    assert any("ball_4_0000 is missing" in finding.message for finding in inspect(data).findings)


def test_images_of_a_subject_that_lie_apart_are_told(tmp_path: Path) -> None:
    data = make(tmp_path / "data", as_one=False)
    moved = np.eye(4)
    moved[0, 3] = 5
    write_nifti(data / "imagesTr" / "ball_2_0001.nii.gz", two_images(2)[1], moved)
    write_nifti(data / "imagesTr" / "ball_3_0001.nii.gz", two_images(3)[1][:-2])
    told = [finding.message for finding in inspect(data).findings if finding.code == "channels"]
    assert any("5.0 mm from ball_2_0000" in text for text in told) and any("shape" in text for text in told)


def test_a_fourth_axis_that_nothing_names_is_no_channels(tmp_path: Path) -> None:
    data = make(tmp_path / "data", as_one=True)
    (data / "dataset.json").unlink()
    assert {finding.code for finding in inspect(data).findings if finding.severity == "error"} >= {"not-3d"}
    (data / "dataset.json").write_text(json.dumps({"modality": {"0": "T1", "1": "T2", "2": "FLAIR"}}))
    assert any("names 3 channels" in finding.message for finding in inspect(data).findings)


def test_a_scale_of_ct_for_several_images_is_refused(tmp_path: Path) -> None:
    tree = config.to_tree(experiment(make(tmp_path / "data", as_one=False)))
    tree["data"]["intensities"] = "ct"
    with pytest.raises(ConfigError, match="several images"):
        prepare_run(config.parse(tree))


def test_files_and_one_file_are_predicted_alike(
    package: ModelPackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, label = two_images(9)
    scans = [write_nifti(tmp_path / "a" / f"head_000{n}.nii.gz", image) for n, image in enumerate((first, second))]
    plain = [write_nifti(tmp_path / "b" / f"{name}.nii.gz", image) for name, image in (("x", first), ("y", second))]
    whole = write_nifti(tmp_path / "c" / "whole.nii.gz", np.stack([first, second], axis=-1))

    def predicted(*paths: Path) -> list[dict[str, Any]]:
        out = str(tmp_path / "out" / paths[0].name)
        assert main(["predict", *map(str, paths), "--model", package.name, "--out", out, "--json"]) == 0
        answer: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["predictions"]
        return answer

    (one,), (two,), (three,), (four,) = predicted(*scans), predicted(*plain), predicted(whole), predicted(scans[1])
    assert one["structures"] == two["structures"] == three["structures"]
    assert Path(one["output"]).name == "head_seg.nii.gz" and Path(two["output"]).name == "x_seg.nii.gz"
    assert four["structures"] == one["structures"]  # from one of them, the others beside it are found
    marked = np.asarray(read(Path(one["output"])).voxels)
    assert (marked == label).mean() > 0.95
    (swapped,) = predicted(*reversed(plain))
    assert swapped["structures"] != one["structures"]  # the order counts


def test_a_walked_folder_gives_a_result_for_each_subject(
    package: ModelPackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for case in (11, 12):
        for number, image in enumerate(two_images(case)[:2]):
            write_nifti(tmp_path / "in" / f"s{case}_000{number}.nii.gz", image)
    write_nifti(tmp_path / "in" / "s13_0000.nii.gz", two_images(13)[0])
    args = ["predict", str(tmp_path / "in"), "--model", package.name, "--out", str(tmp_path / "out"), "--json"]
    assert main(args) == 2
    told = json.loads(capsys.readouterr().out)
    assert [Path(one["output"]).name for one in told["predictions"]] == ["s11_seg.nii.gz", "s12_seg.nii.gz"]
    assert "missing: FLAIR (s13_0001)" in told["failed"][0]["what"]
    write_nifti(tmp_path / "in" / "s13_0001.nii.gz", two_images(13)[1])
    assert main(args) == 0
    again = json.loads(capsys.readouterr().out)["predictions"]
    assert [one.get("skipped", False) for one in again] == [True, True, False]
    write_nifti(tmp_path / "in" / "s11_0001.nii.gz", two_images(14)[1])
    assert main(args) == 0
    assert not json.loads(capsys.readouterr().out)["predictions"][0].get("skipped", False)


def test_missing_images_are_named(package: ModelPackage, tmp_path: Path) -> None:
    alone = write_nifti(tmp_path / "scan.nii.gz", two_images(9)[0])
    with pytest.raises(UnsuitableScan, match=r"takes 2 images \(T1, FLAIR\)"):
        predict_file(alone, package, tmp_path / "out")
    with pytest.raises(UnsuitableScan, match=r"takes 2 images \(T1, FLAIR\) of a subject, and this holds 1"):
        segment(read(alone), package)
    named = write_nifti(tmp_path / "p1_T1.nii.gz", two_images(9)[0])
    with pytest.raises(UnsuitableScan, match=r"missing: FLAIR \(p1_FLAIR\)"):
        files_of_subject(named, ["T1", "FLAIR"])
    other = write_nifti(tmp_path / "p1_flair.nii.gz", two_images(9)[1])
    assert files_of_subject(named, ["T1", "FLAIR"]) == [named, other] == files_of_subject(other, ["T1", "FLAIR"])
    assert read_subject([named, other]).shape == (16, 16, 16, 2)
