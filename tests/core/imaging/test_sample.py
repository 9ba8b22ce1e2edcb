from __future__ import annotations

import numpy as np

from core.imaging.reader import read
from core.imaging.sample import sample_scan
from core.paths import home


def test_sample_is_a_head_in_template_space_and_is_written_once():
    path = sample_scan()
    assert path.parent == home() / "samples"
    volume = read(path)
    assert volume.findings == ()
    assert volume.orientation == "RAS"
    assert volume.spacing_mm == (1, 1, 1)
    assert volume.source.form_codes == (4, 4)  # the MNI 152 template's space
    assert np.asarray(volume.voxels).max() > 100
    before = path.stat().st_mtime_ns
    assert sample_scan() == path
    assert path.stat().st_mtime_ns == before


def test_origin_and_licence_lie_beside_the_sample():
    path = sample_scan()
    note = path.with_suffix(".txt").read_text()
    assert "McGill" in note
    assert "Permission to use, copy, modify, and distribute" in note
    assert b"research use only" in path.read_bytes()[:352]
