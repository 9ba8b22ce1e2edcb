from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.data.dataset import inspect
from core.data.split import draw
from core.errors import DatasetError
from core.imaging.reader import read
from core.imaging.titles import stem_of
from core.imaging.writer import write_volume
from tests.core.making import ball_case, make_dataset, write_nifti


def codes(path: Path) -> set[str]:
    return {finding.code for finding in inspect(path).findings}


@pytest.mark.parametrize("names", [("images", "labels"), ("imagesTr", "labelsTr")])
def test_known_layouts_are_found(tmp_path: Path, names: tuple[str, str]) -> None:
    dataset = inspect(make_dataset(tmp_path, names=names))
    assert dataset.usable and len(dataset.cases) == 6
    assert [label.value for label in dataset.labels] == [1, 2]


def test_nnunet_channel_suffix_is_paired_with_its_label(tmp_path: Path) -> None:
    make_dataset(tmp_path, names=("imagesTr", "labelsTr"))
    for file in (tmp_path / "imagesTr").iterdir():
        file.rename(file.with_name(file.name.replace(".nii.gz", "_0000.nii.gz")))
    dataset = inspect(tmp_path)
    assert dataset.layout == "nnU-Net" and len(dataset.cases) == 6


def test_label_names_come_from_either_dataset_json(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    for labels in ({"0": "background", "1": "left", "2": "right"}, {"background": 0, "left": 1, "right": 2}):
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
        assert [label.name for label in inspect(tmp_path).labels] == ["left", "right"]


def test_macos_resource_forks_are_not_cases(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    (tmp_path / "images" / "._ball_00.nii.gz").write_bytes(b"\x00\x05\x16\x07")
    assert len(inspect(tmp_path).cases) == 6


def test_folder_without_images_says_which_layouts_are_known(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="imagesTr and labelsTr"):
        inspect(tmp_path)


def test_label_of_another_shape_blocks_training(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    write_nifti(tmp_path / "labels" / "ball_02.nii.gz", np.ones((16, 16, 15), np.uint8))
    dataset = inspect(tmp_path)
    assert not dataset.usable
    with pytest.raises(DatasetError, match=r"ball_02: the label's shape \(16, 16, 15\)"):
        dataset.require_usable()


def test_label_lying_elsewhere_blocks_training(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    moved = np.eye(4)
    moved[0, 3] = 5.0
    write_nifti(tmp_path / "labels" / "ball_01.nii.gz", ball_case(1)[1], moved)
    assert "geometry" in codes(tmp_path) and not inspect(tmp_path).usable


def test_label_with_fractions_blocks_training(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    write_nifti(tmp_path / "labels" / "ball_01.nii.gz", np.full((16, 16, 16), 0.4, np.float32))
    assert "label-values" in codes(tmp_path)


def test_truncated_image_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    file = tmp_path / "images" / "ball_03.nii.gz"
    file.write_bytes(file.read_bytes()[:500])
    dataset = inspect(tmp_path)
    assert not dataset.usable and any("ball_03" in finding.message for finding in dataset.findings)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_that_shows_nothing_is_told(tmp_path: Path, value: float) -> None:
    make_dataset(tmp_path)
    write_nifti(tmp_path / "images" / "ball_03.nii.gz", np.full(ball_case(3)[0].shape, value, np.float32))
    assert "blank" in codes(tmp_path)


def test_files_without_their_other_half_are_named(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    (tmp_path / "labels" / "ball_00.nii.gz").unlink()
    (tmp_path / "images" / "ball_05.nii.gz").unlink()
    assert {"no-label", "no-image"} <= codes(tmp_path)


def test_label_beyond_the_list_blocks_training(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "left"}}))
    assert "unlisted-label" in codes(tmp_path) and not inspect(tmp_path).usable


def test_broken_dataset_json_does_not_stop_the_check(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text("[" * 100_000)
    assert inspect(tmp_path).usable


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_an_image_stay_on_one_side_of_the_split(tmp_path: Path, seed: int) -> None:
    make_dataset(tmp_path)
    for kind in ("images", "labels"):
        copy = tmp_path / kind / "another_name.nii.gz"
        copy.write_bytes((tmp_path / kind / "ball_04.nii.gz").read_bytes())
    dataset = inspect(tmp_path)
    assert "duplicate" in {finding.code for finding in dataset.findings}
    split = draw(dataset, val_fraction=0.3, test_fraction=0.3, seed=seed)
    sides = [part for part in (split.train, split.val, split.test) if {"ball_04", "another_name"} & set(part)]
    assert len(sides) == 1


def test_visits_of_a_subject_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    for number in range(8):
        image, label = ball_case(number)
        name = f"sub-{number // 2:02d}_ses-{number % 2}.nii.gz"
        write_nifti(tmp_path / "images" / name, image)
        write_nifti(tmp_path / "labels" / name, label)
    split = draw(inspect(tmp_path), val_fraction=0.25, test_fraction=0.25, seed=1)
    subjects = [{id.split("_")[0] for id in part} for part in (split.train, split.val, split.test)]
    assert not subjects[0] & subjects[1] and not subjects[0] & subjects[2] and not subjects[1] & subjects[2]


def test_same_seed_gives_the_same_split_and_another_seed_another(tmp_path: Path) -> None:
    dataset = inspect(make_dataset(tmp_path, cases=10))
    splits = [draw(dataset, val_fraction=0.3, test_fraction=0.2, seed=seed) for seed in (3, 3, 4)]
    assert splits[0] == splits[1] != splits[2]
    assert sorted(splits[0].train + splits[0].val + splits[0].test) == [case.id for case in dataset.cases]


def test_too_few_cases_for_the_parts_are_refused(tmp_path: Path) -> None:
    dataset = inspect(make_dataset(tmp_path, cases=2))
    with pytest.raises(DatasetError, match="too few"):
        draw(dataset, val_fraction=0.5, test_fraction=0.5, seed=0)


def test_every_real_hippocampus_case_passes_the_check(data_folder: Path) -> None:
    dataset = inspect(data_folder / "task04_hippocampus")
    assert dataset.usable and len(dataset.cases) == 208
    assert [label.value for label in dataset.labels] == [1, 2]


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".NII"])
def test_every_format_of_volumes_is_training_data(tmp_path: Path, suffix: str) -> None:
    folder = make_dataset(tmp_path)
    expected = inspect(folder)
    for file in [*folder.glob("images/*"), *folder.glob("labels/*")]:
        write_volume(file.with_name(stem_of(file) + suffix.lower()), read(file))
        file.unlink()
        file.with_name(stem_of(file) + suffix.lower()).rename(file.with_name(stem_of(file) + suffix))
    found = inspect(folder)
    assert found.usable and [case.id for case in found.cases] == [case.id for case in expected.cases]
    assert {id: fact.voxels for id, fact in found.facts.items()} == {i: f.voxels for i, f in expected.facts.items()}


def test_a_header_beside_its_voxels_is_one_case(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path)
    file = folder / "images" / "ball_00.nii.gz"
    voxels = np.asarray(nib.load(file).dataobj)
    spacing = nib.load(file).header.get_zooms()
    turn = np.sign(np.diag(nib.load(file).affine)[:3]) * (-1, -1, 1)
    (folder / "images" / "ball_00.raw").write_bytes(voxels.astype("<f4").tobytes("F"))
    (folder / "images" / "ball_00.mhd").write_text(
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
        f"TransformMatrix = {turn[0]:g} 0 0 0 {turn[1]:g} 0 0 0 {turn[2]:g}\nOffset = 0 0 0\n"
        f"ElementSpacing = {' '.join(map(str, spacing))}\nDimSize = {' '.join(map(str, voxels.shape))}\n"
        "ElementType = MET_FLOAT\nElementDataFile = ball_00.raw\n"
    )
    file.unlink()
    found = inspect(folder)
    assert found.usable, found.findings
    assert "ball_00" in found.facts


def test_two_formats_of_one_case_are_told_and_one_is_taken(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path)
    file = folder / "images" / "ball_00.nii.gz"
    write_volume(file.with_name("ball_00.nrrd"), read(file))
    found = inspect(folder)
    assert len(found.cases) == 6 and "same-name" in {finding.code for finding in found.findings}
