"""Deleting predictions, and what becomes of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.catalog import Catalog, PredictionRow
from core.errors import CatalogError
from core.inference.cases import LEDGER
from core.inference.deleting import from_trash, kept_outside, to_trash
from core.paths import predictions_folder


def stored(catalog: Catalog, output: Path) -> PredictionRow:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("an answer")
    row = catalog.add_prediction(
        scan=output.parent / "scan.nii", model="m", model_version="1.0", output=output, sha256="", structures=[],
        findings=[], seconds=1.0, device="cpu", given={"time": 2},
    )  # fmt: skip
    return catalog.prediction(row)


def test_a_deleted_prediction_takes_its_folder_along_and_comes_back_whole(isocenter_home: Path):
    folder = predictions_folder() / "2026-01-01" / "100000-1"
    with Catalog() as catalog:
        row = stored(catalog, folder / "sub.json")
        (folder / "sub_mri_reasons.nii.gz").write_text("a map")
        name = to_trash(catalog, row.id)
        assert catalog.predictions() == []
        assert not folder.exists()
        assert from_trash(catalog, name) == row.id
        assert catalog.predictions() == [row]
        assert {path.name for path in folder.iterdir()} == {"sub.json", "sub_mri_reasons.nii.gz"}
        with pytest.raises(CatalogError, match="not in the trash"):
            from_trash(catalog, name)


def test_what_others_need_and_what_is_its_users_stays(isocenter_home: Path, tmp_path: Path):
    queue = predictions_folder() / "2026-01-01"
    with Catalog() as catalog:
        one, two = (stored(catalog, queue / f"{name}_seg.nii.gz") for name in ("one", "two"))
        (queue / LEDGER).write_text("{}")
        (queue / "one_uncertainty.nii.gz").write_text("a map")
        to_trash(catalog, one.id)
        assert {path.name for path in queue.iterdir()} == {LEDGER, "two_seg.nii.gz"}
        shared = [stored(catalog, predictions_folder() / "cohort" / "answers.json") for _ in range(2)]
        to_trash(catalog, shared[0].id)
        assert shared[1].output.is_file()
        own = stored(catalog, tmp_path / "mine" / "three_seg.nii.gz")
        assert kept_outside(own) and not kept_outside(two)
        to_trash(catalog, own.id)
        assert own.output.is_file()
        with pytest.raises(CatalogError, match="no prediction"):
            to_trash(catalog, own.id)


def test_the_number_of_a_deleted_prediction_is_given_to_no_other(isocenter_home: Path):
    with Catalog() as catalog:
        first = stored(catalog, predictions_folder() / "a" / "a.json")
        name = to_trash(catalog, first.id)
        second = stored(catalog, predictions_folder() / "b" / "b.json")
        assert second.id != first.id
        assert catalog.prediction(from_trash(catalog, name)) == first
        assert catalog.prediction(second.id) == second
