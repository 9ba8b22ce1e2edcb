"""Damaged scans of every format are read, or refused with a typed error. The whole run is a benchmark."""

from __future__ import annotations

import pytest

from tests.benchmarks.mutation import FORMATS, mutants, originals, outcome

COUNT = 150
SEED = 7


@pytest.mark.parametrize("format", FORMATS)
def test_sound_files_are_read(tmp_path, format):
    (tmp_path / "voxels.raw").write_bytes(bytes(5000))
    for name, data in originals(format):
        (tmp_path / name).write_bytes(data)
        assert outcome(tmp_path / name).kind == "read", name


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_are_read_or_refused_with_a_typed_error(tmp_path, format):
    (tmp_path / "voxels.raw").write_bytes(bytes(5000))
    for number, name, data in mutants(format, SEED, COUNT):
        path = tmp_path / name
        path.write_bytes(data)
        found = outcome(path)
        assert found.kind != "failure", f"mutant {number} of {format}, seed {SEED}: {found.detail}"
        path.unlink()


def test_mutants_are_the_same_for_the_same_seed():
    assert list(mutants("nrrd", 1, 8))[5:] == list(mutants("nrrd", 1, 8, first=5))
    assert list(mutants("nrrd", 1, 8)) != list(mutants("nrrd", 2, 8))
