from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core.catalog import Catalog
from core.control import JobControl
from core.errors import Cancelled, CatalogError, ConfigError, IsocenterError, UnsuitableScan
from core.imaging.geometry import index_to_ras_mm
from core.imaging.volume import Finding, Source, Volume
from core.inference.mirroring import Mirror, mirrors
from core.inference.package import ModelPackage
from core.inference.predictor import predict_file, segment
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import gaussian, probabilities, starts
from tests.core.inference.making import bright_box
from tests.core.making import write_nifti

Make = Callable[..., ModelPackage]
Array = np.ndarray[Any, Any]


def turned(order: tuple[int, int, int], flips: tuple[int, int, int], tilt_deg: float = 0.0) -> Array:
    """An affine whose voxel axes are permuted and flipped patient axes, tilted about the long axis."""
    cos, sin = np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))
    tilt = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = tilt @ (np.eye(3)[:, order] * flips)
    affine[:3, 3] = (3.0, -7.0, 11.0)
    return affine


def volume(voxels: Array, affine: Array | None = None, **more: Any) -> Volume:
    return Volume(voxels, np.eye(4) if affine is None else affine, Source(Path("made.nii.gz"), "NIfTI-1"), **more)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_what_is_bright_is_marked_in_its_own_voxels_however_the_scan_is_turned(
    package: ModelPackage, order: tuple[int, int, int], flips: tuple[int, int, int], tilt_deg: float
):
    image, mask = bright_box()
    answer = segment(volume(image, turned(order, flips, tilt_deg)), package)
    assert np.array_equal(answer.labels == 1, mask)


def test_left_stays_left_in_the_written_file(package: ModelPackage, tmp_path: Path):
    image, mask = bright_box()
    affine = turned((0, 1, 2), (-1, -1, 1))  # LPS: the box, at low i, lies on the patient's right
    scan = write_nifti(tmp_path / "lps.nii.gz", image, affine)
    result = predict_file(scan, package, tmp_path / "out")
    written = nib.load(result.output)
    assert np.allclose(written.affine, affine)
    found = np.argwhere(np.asarray(written.dataobj) == 1)
    assert np.array_equal(found, np.argwhere(mask))
    assert index_to_ras_mm(affine, found)[:, 0].mean() > index_to_ras_mm(affine, np.argwhere(~mask))[:, 0].mean()


def test_coarse_voxels_come_back_on_their_own_grid(package: ModelPackage):
    image, mask = bright_box()
    answer = segment(volume(image, np.diag([1.0, 1.0, 2.5, 1.0])), package)
    assert answer.labels.shape == mask.shape
    overlap = 2 * (mask & (answer.labels == 1)).sum() / (mask.sum() + (answer.labels == 1).sum())
    assert overlap > 0.8
    assert "spacing_unlike_training" in {finding.code for finding in answer.findings}


def test_volumes_are_in_millilitres_of_the_scans_own_voxels(package: ModelPackage):
    image, mask = bright_box()
    answer = segment(volume(image, turned((0, 1, 2), (1, 1, 1), 20.0) @ np.diag([1.0, 1.0, 1.0, 1.0])), package)
    [structure] = answer.structures
    assert structure.voxels == mask.sum()
    assert structure.volume_ml == pytest.approx(mask.sum() / 1000)
    assert structure.confidence is not None
    assert 0.9 < structure.confidence <= 1


def test_what_was_not_found_is_said(make_package: Make):
    labels = [{"value": 1, "name": "Bright"}]
    package = make_package(plan={"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": labels})
    image = np.random.default_rng(0).uniform(0, 1, (16, 16, 16)).astype(np.float32)
    image[0] = -40.0  # so that nothing rises far above the mean
    answer = segment(volume(image), package)
    assert answer.structures[0].confidence is None
    assert "structure_not_found" in {finding.code for finding in answer.findings}


def test_label_values_above_255_are_kept(make_package: Make):
    labels = [{"value": 1007, "name": "Bright"}]
    package = make_package(plan={"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": labels})
    image, mask = bright_box()
    answer = segment(volume(image), package)
    assert set(np.unique(answer.labels)) == {0, 1007}
    assert answer.structures[0].voxels == mask.sum()


@pytest.mark.parametrize(
    ("voxels", "what"),
    [
        (np.full((16, 16, 16), 7, np.int16), "nothing to see"),
        (np.full((16, 16, 16), np.nan, np.float32), "nothing to see"),
        (bright_box()[0][:, :, :4], "too small"),
        (np.stack([bright_box()[0]] * 3, axis=-1), "3 volumes"),
        (bright_box()[0].astype(np.complex64), "colours or complex"),
    ],
)
def test_scans_that_no_answer_can_come_from_are_refused(package: ModelPackage, voxels: Array, what: str):
    with pytest.raises(UnsuitableScan, match=what):
        segment(volume(voxels), package)


def test_a_picture_without_a_place_in_the_patient_is_refused(package: ModelPackage):
    picture = volume(bright_box()[0]).with_findings(Finding("no_place", "warning", "A picture."))
    with pytest.raises(UnsuitableScan, match="without a place in the patient"):
        segment(picture, package)


def test_a_scan_much_smaller_than_the_training_is_refused(make_package: Make):
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 1, "name": "Bright"}]}
    package = make_package(plan={**plan, "shape_range": [[60, 60, 60], [80, 80, 80]]})
    with pytest.raises(UnsuitableScan, match="trained on at least"):
        segment(volume(bright_box()[0]), package)


def test_differences_from_the_training_are_told(make_package: Make):
    plan = {"spacing_mm": [1, 1, 1], "patch_size": [16] * 3, "labels": [{"value": 1, "name": "Bright"}]}
    package = make_package(plan={**plan, "modality": "MR", "shape_range": [[24, 24, 24], [40, 40, 40]]})
    image = bright_box()[0].astype(np.float32)
    image[0, 0, 0] = np.nan
    source = Source(Path("ct"), "DICOM", modality="CT")
    scan = Volume(image, turned((0, 1, 2), (1, 1, 1), 20.0), source)
    codes = {finding.code for finding in segment(scan, package).findings}
    assert {"modality_unlike_training", "smaller_than_training", "oblique", "non_finite"} <= codes


def test_a_prediction_is_in_the_catalog(package: ModelPackage, scan: Path, tmp_path: Path):
    result = predict_file(scan, package, tmp_path / "out")
    assert result.output == tmp_path / "out" / "box_seg.nii.gz"
    with Catalog() as catalog:
        row = catalog.prediction(result.id)
    assert (row.model, row.model_version, row.output) == ("bright", "1.0", result.output)
    assert row.structures == result.structures


def test_of_a_scan_of_several_volumes_one_is_predicted_when_it_is_named(package: ModelPackage, tmp_path: Path):
    bright, mask = bright_box()
    several = write_nifti(tmp_path / "several.nii.gz", np.stack([np.flip(bright, axis=0), bright], axis=-1))
    with pytest.raises(UnsuitableScan, match="holds 2 volumes"):
        predict_file(several, package, tmp_path / "out")
    result = predict_file(several, package, tmp_path / "out", time_point=1)
    assert result.output.name == "several_t2_seg.nii.gz"
    assert np.array_equal(np.asarray(nib.load(result.output).dataobj) == 1, mask)
    assert "Volume 2 of the 2 in the scan." in [finding["message"] for finding in result.findings]
    with pytest.raises(UnsuitableScan, match="no volume 3 in it"):
        predict_file(several, package, tmp_path / "out", time_point=2)


def test_progress_only_rises(package: ModelPackage, scan: Path, tmp_path: Path):
    fractions: list[float] = []
    control = JobControl(lambda fraction, _message: fractions.append(fraction or 0.0))
    predict_file(scan, package, tmp_path, control=control)
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1


@pytest.mark.parametrize("stage", ["Reading", "Loading", "Preparing", "Predicting", "Measuring", "Writing"])
def test_a_cancelled_prediction_leaves_nothing(package: ModelPackage, scan: Path, tmp_path: Path, stage: str):
    control = JobControl()

    def cancel_at_stage(_fraction: float | None, message: str) -> None:
        if message.startswith(stage):
            control.cancel()

    control.listener = cancel_at_stage
    with pytest.raises(Cancelled):
        predict_file(scan, package, tmp_path / "out", control=control)
    assert not list(tmp_path.glob("out/*"))
    with Catalog() as catalog:
        assert catalog.predictions() == []


def test_a_result_folder_that_is_a_file_is_refused(package: ModelPackage, scan: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IsocenterError, match="cannot be written"):
        predict_file(scan, package, tmp_path / "file")
    with pytest.raises(IsocenterError, match="cannot be written"):
        predict_file(scan, package, tmp_path / "file" / "below")


def test_a_read_only_result_folder_is_refused_before_the_work(
    package: ModelPackage, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    out.mkdir()
    # A superuser may write anywhere, so that only the answer of the system can be made up.
    monkeypatch.setattr("core.files.os.access", lambda path, mode: Path(path) != out)
    with pytest.raises(IsocenterError, match="not permitted"):
        predict_file(scan, package, out)
    assert not list(out.iterdir())


def test_a_full_disk_leaves_no_half_written_file(
    package: ModelPackage, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Catalog():
        pass
    monkeypatch.setattr("core.files.os.fsync", full)
    with pytest.raises(IsocenterError):
        predict_file(scan, package, tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_a_home_that_cannot_be_written_is_told_before_the_work(
    package: ModelPackage, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "file"))
    with pytest.raises(CatalogError):
        predict_file(scan, package, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there_is_named(package: ModelPackage):
    with pytest.raises(ConfigError, match="no device 'abacus'"):
        segment(volume(bright_box()[0]), package, device="abacus")


# ---- the sliding window -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [16, 17, 31, 32, 100])
def test_windows_cover_everything_and_overlap(length: int):
    found = starts(length, 16)
    covered = set().union(*(range(start, start + 16) for start in found))
    assert covered == set(range(length))
    assert all(b - a <= 8 for a, b in pairwise(found))


def test_the_middle_of_a_window_counts_most():
    weights = gaussian((9, 9, 9))
    assert weights.shape == (9, 9, 9)
    assert weights[4, 4, 4] == weights.max() == pytest.approx(1)
    assert weights.min() > 0


def test_every_mirroring_is_tried_once():
    assert len(mirrors("xyz")) == len(set(mirrors("xyz"))) == 8


@pytest.mark.parametrize("shape", [(5, 9, 16), (16, 16, 16), (40, 37, 50)])
@pytest.mark.parametrize("mirror", [False, True, "structures"])
def test_windows_and_mirroring_give_what_a_pointwise_network_gives_at_once(shape: tuple[int, int, int], mirror: Mirror):
    import torch

    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    network = torch.nn.Conv3d(1, 3, 1)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(image)[None]), dim=1)[0].numpy()
    found = probabilities(TorchRuntime(network), image, patch=(8, 8, 8), divisor=4, mirror_axes="xz", mirror=mirror)
    assert found.shape == (3, *shape)
    assert np.allclose(found, expected, atol=1e-5)


def test_mirrored_answers_are_mirrored_back():
    import torch

    class Leftmost(torch.nn.Module):
        """Answers by place, not by content: high where x is low."""

        def forward(self, image: Any) -> Any:
            ramp = torch.linspace(4, -4, image.shape[2]).reshape(1, 1, -1, 1, 1).expand(1, 1, *image.shape[2:])
            return torch.cat([-ramp, ramp], dim=1)

    image = np.zeros((1, 8, 8, 8), np.float32)
    plain = probabilities(TorchRuntime(Leftmost()), image, patch=(8, 8, 8), mirror=False)
    both = probabilities(TorchRuntime(Leftmost()), image, patch=(8, 8, 8), mirror_axes="x", mirror=True)
    assert plain[1, 0, 0, 0] > 0.99
    assert np.allclose(both, 0.5, atol=1e-5)
