"""Models of other programs asked to look at the region of interest first: the same answer from fewer windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.control import JobControl
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.inference.importing.importer import import_model
from core.inference.package import ModelPackage
from core.inference.region_first import Windows
from core.inference.runtime.on_torch import TorchRuntime
from tests.core.inference.importing.bundles import FINISHING, INFERER, write_bundle
from tests.core.inference.importing.making import write_model
from tests.core.inference.making import Smooth, balls
from tests.core.making import write_nifti

SIDE = 72
PREPARING = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0, "a_max": 1000, "b_min": 0.0, "b_max": 1.0},
]
CENTRES = [(10, 24, 50), (32, 32, 32)]


@pytest.fixture
def scan(tmp_path: Path) -> Volume:
    """Two bright balls in noise that is nowhere 0, so that nothing is cut away."""
    noise = np.random.default_rng(0).uniform(1, 300, (SIDE,) * 3)
    image = (noise + 700 * balls(SIDE, CENTRES, 6)).astype(np.float32)
    return read(write_nifti(tmp_path / "scan.nii.gz", image))


def asked(package: ModelPackage, scan: Volume, runtime: Any, region_first: bool) -> tuple[Any, Any, Windows]:
    windows = Windows()
    labels, certainty = package.pipeline.segment(
        scan, package, runtime, False, JobControl(), region_first=region_first, windows=windows
    )
    return labels, certainty, windows


def bundle(folder: Path, overlap: float, finishing: Any = FINISHING) -> ModelPackage:
    inferer = {**INFERER, "overlap": overlap, "mode": "gaussian"}
    return import_model(write_bundle(folder / "bundle", preparing=PREPARING, inferer=inferer, finishing=finishing))[0]


def trained(folder: Path) -> ModelPackage:
    return import_model(write_model(folder / "trained"))[0]


@pytest.mark.parametrize("kind", ["nnunet", "monai"])
def test_an_imported_model_answers_the_same_from_fewer_windows(tmp_path: Path, scan: Volume, kind: str):
    package = trained(tmp_path) if kind == "nnunet" else bundle(tmp_path, 0.5)
    runtime = TorchRuntime(Smooth(), activation="none")
    labels, certainty, every = asked(package, scan, runtime, False)
    found, sure, few = asked(package, scan, runtime, True)
    assert every.asked == every.whole == few.whole and few.asked < 0.7 * few.whole
    truth = balls(SIDE, CENTRES, 6)
    assert (labels[truth] > 0).mean() > 0.8 and not labels[~balls(SIDE, CENTRES, 10)].any()
    assert np.array_equal(found, labels) and np.allclose(sure[labels > 0], certainty[labels > 0], atol=1e-5)


def test_windows_that_hardly_overlap_are_all_taken(tmp_path: Path, scan: Volume):
    package = bundle(tmp_path, 0.1)
    _, _, few = asked(package, scan, TorchRuntime(Smooth(), activation="none"), True)
    assert few.asked == few.whole and few.findings() == []


def test_a_scan_thinner_than_a_window_is_padded(tmp_path: Path):
    image = (1000 * balls(SIDE, [(30, 30, 5)], 5))[:, :, :9].astype(np.float32)
    thin = read(write_nifti(tmp_path / "thin.nii.gz", image))
    package, runtime = bundle(tmp_path, 0.5), TorchRuntime(Smooth(), activation="none")
    labels, _, every = asked(package, thin, runtime, False)
    found, _, few = asked(package, thin, runtime, True)
    assert few.asked < every.asked and np.array_equal(found, labels) and labels.shape == image.shape and labels.any()
