"""What every test gets: no display, a home folder of its own, and the real data where there is any."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

# Before Qt is first imported; a person who wants to watch the windows sets it themselves.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def isocenter_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, so that no test reads or writes the user's own runs and predictions."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ISOCENTER_HOME", str(folder))
    return folder


def shared_data() -> Path:
    """Where real scans are kept, if anywhere: ISOCENTER_TEST_DATA, or shared/data beside the checkout."""
    chosen = os.environ.get("ISOCENTER_TEST_DATA")
    return Path(chosen) if chosen else CHECKOUT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real scans. Skips where it is absent."""
    folder = shared_data()
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}; set ISOCENTER_TEST_DATA to the folder that holds them")
    return folder


@pytest.fixture
def oblique_scan(tmp_path: Path) -> Path:
    """A small NIfTI scan whose axes are permuted, flipped, rotated and of three different spacings."""
    cos, sin = np.cos(0.25), np.sin(0.25)
    turn = np.array([[0.0, -cos, -sin], [0.0, sin, -cos], [1.0, 0.0, 0.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.9, 1.1, 2.0)
    affine[:3, 3] = (12.0, -8.0, 30.0)
    voxels = np.random.default_rng(7).integers(0, 1000, (11, 9, 7)).astype(np.int16)
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    path = tmp_path / "oblique.nii.gz"
    nib.save(image, path)
    return path
