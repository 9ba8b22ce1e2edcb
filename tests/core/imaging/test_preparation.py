"""Raw scans brought to template space: bias field, side, mask, uptake; kept, resumed and cancelled."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from core.cli import main
from core.control import JobControl
from core.data.cohort.read import read_cohort
from core.data.cohort.settings import CohortDataConfig
from core.errors import Cancelled, UnsuitableScan
from core.imaging.mni import Grid, tissues
from core.imaging.preparation.bias import bias_field
from core.imaging.preparation.prepare import GRID, Prepared, prepare
from core.imaging.reader import read

HEAD = Grid((78, 100, 80), (2.0, 2.0, 2.0))
SPOT_MM = np.array([-44.0, -10.0, 20.0])  # in the left hemisphere


def turned(values: np.ndarray, turn_deg: float, move_mm: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A head that lies elsewhere in the scanner, stored left to right the other way: values and affine."""
    angle = np.deg2rad(turn_deg)
    moved = np.eye(4)
    moved[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    moved[:3, 3] = move_mm
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = values.shape[0] - 1
    return values[::-1].copy(), moved @ HEAD.affine_ras @ flip


def saved(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An MRI with a bright spot on the left and a bias field, and a PET that lies elsewhere, of one head."""
    folder = tmp_path_factory.mktemp("raw")
    known = tissues(HEAD)
    x, y, z = HEAD.places_mm()
    t1 = 1000 * known.white + 650 * known.grey + 250 * known.fluid
    t1 = t1 * np.exp(0.25 * (x / 70) + 0.2 * (y / 90)) + 5 * np.random.default_rng(0).random(HEAD.shape)
    t1[(np.abs(x - SPOT_MM[0]) < 7) & (np.abs(y - SPOT_MM[1]) < 7) & (np.abs(z - SPOT_MM[2]) < 7)] = 2500
    mri = saved(folder / "t1.nii.gz", *turned(t1, 9, (12, -7, 30)))
    uptake = ndimage.gaussian_filter(5000 * known.grey + 1500 * known.white, 1.3)
    pet = saved(folder / "pet.nii.gz", *turned(uptake, 4, (-5, 10, -12)))
    return mri, pet


@pytest.fixture(scope="module")
def prepared(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(*pair, tmp_path_factory.mktemp("prepared"))


def test_left_stays_left_from_a_turned_head_stored_the_other_way(prepared: Prepared) -> None:
    assert prepared.mri is not None
    volume = read(prepared.mri)
    values = ndimage.uniform_filter(volume.values(), 5)
    place = volume.affine_ras @ [*np.unravel_index(values.argmax(), values.shape), 1]
    assert np.abs(place[:3] - SPOT_MM).max() < 4
    assert volume.source.form_codes == (4, 4)
    assert volume.grid_shape == GRID.shape


def test_the_pet_lies_on_the_mri_and_is_told_by_its_cerebellum(prepared: Prepared) -> None:
    assert prepared.pet is not None
    suvr = read(prepared.pet).values()
    known = tissues(GRID)
    assert suvr[known.reference].mean() == pytest.approx(1.0, abs=0.01)
    grey, white = suvr[known.grey > 0.95], suvr[known.white > 0.99]
    assert np.median(grey) > 1.5 * np.median(white)
    assert (suvr[~known.inside] == 0).all()


def test_the_mask_is_carried_back_to_the_mri(prepared: Prepared, pair: tuple[Path, Path]) -> None:
    assert prepared.brain is not None
    mask, mri = read(prepared.brain), read(pair[0])
    assert mask.grid_shape == mri.grid_shape
    assert np.allclose(mask.affine_ras, mri.affine_ras, atol=1e-4)
    head = ndimage.binary_fill_holes(mri.values() > 100)
    both = (mask.voxels > 0) & head
    assert 2 * both.sum() / ((mask.voxels > 0).sum() + head.sum()) > 0.96


def test_the_field_is_taken_out_of_the_mri(prepared: Prepared, pair: tuple[Path, Path]) -> None:
    known = tissues(HEAD)
    white = (known.white > 0.97)[::-1]
    spreads = []
    for path in (pair[0], prepared.steps[0].picture):
        low, middle, high = np.percentile(read(path).values()[white], (10, 50, 90))  # the spot is not in these
        spreads.append((high - low) / middle)
    assert spreads[0] > 0.25
    assert spreads[1] < 0.2 * spreads[0]


def test_every_step_has_a_picture_and_says_what_was_done(prepared: Prepared) -> None:
    assert len(prepared.steps) == 7
    for step in prepared.steps:
        assert step.title
        assert read(step.picture).voxels.any()
        if step.over is not None:
            assert step.over.is_file()
    assert {finding.code for finding in prepared.findings} >= {"registered"}


def test_what_is_there_is_kept_and_what_is_torn_away_is_made_again(
    prepared: Prepared, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("core.imaging.preparation.prepare.register", lambda *_: pytest.fail("registered again"))
        again = prepare(*pair, prepared.folder)
        assert (again.mri, again.pet) == (prepared.mri, prepared.pet)
        assert prepared.pet is not None
        kept = prepared.pet.read_bytes()
        prepared.pet.unlink()
        with pytest.raises(pytest.fail.Exception, match="registered again"):
            prepare(*pair, prepared.folder)
    prepared.pet.write_bytes(kept)


def test_a_cancel_ends_it_and_leaves_nothing_that_looks_finished(pair: tuple[Path, Path], tmp_path: Path) -> None:
    control = JobControl()

    def listen(fraction: float | None, message: str) -> None:
        if "bias field" in message and (fraction or 0) > 0.05 and not control.cancelled:
            control.cancel()

    control.listener = listen
    with pytest.raises(Cancelled):
        prepare(*pair, tmp_path, control)
    assert not list(tmp_path.rglob("facts.json"))
    assert not list(tmp_path.rglob("brain.nii.gz"))


def test_a_flat_picture_has_no_field_and_no_head() -> None:
    assert (bias_field(np.zeros((16, 16, 16), np.float32), np.eye(4), JobControl()) == 1).all()


def test_nothing_to_prepare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableScan):
        prepare(None, None, tmp_path)


def test_a_cohort_is_prepared_into_one_that_needs_nothing_more(
    pair: tuple[Path, Path], prepared: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mri, pet = pair
    (tmp_path / "noise.nii").write_bytes(b"no scan")
    table = tmp_path / "cohort.csv"
    table.write_text(
        f"ptid,visit,mri,pet,age,risk\nA_1,m00,{mri},{pet},71,0.4\nA_1,m12,{tmp_path / 'noise.nii'},,72,0.5\n"
    )
    out = tmp_path / "out"
    (out / "steps").parent.mkdir()
    (out / "steps").symlink_to(prepared.folder)  # what was made for the other tests
    assert main(["prepare", str(table), str(out), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["prepared"], told["failed"]) == (1, 1)
    assert told["subjects"][1]["state"] == "failed"
    with (out / "participants.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["participant_id"], row["session_id"], row["age"]) for row in rows] == [
        ("sub-A1", "ses-m00", "71"), ("sub-A1", "ses-m12", "72")
    ]  # fmt: skip
    cohort = read_cohort(out, CohortDataConfig(), JobControl())
    first = cohort.subjects[0]
    assert first.mri is not None
    assert first.pet is not None
    assert "raw-images" not in {finding.code for finding in cohort.findings}
    assert main(["prepare", str(table), str(tmp_path)]) == 2
    assert "mix with the cohort" in capsys.readouterr().err


def test_a_table_with_names_of_its_own_is_read_as_for_training(
    pair: tuple[Path, Path], prepared: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text(f"Nr,T1 file,age,cdr\n7,{pair[0]},71,4\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / "steps").symlink_to(prepared.folder)
    order = ["prepare", str(table), str(out)]
    assert main(order) == 2
    assert "data.columns.subject" in capsys.readouterr().err
    mapping = ["data.columns.subject=Nr", "data.columns.mri=T1 file", "data.columns.target=cdr"]
    assert main([*order, *mapping, "data.target_scale=cdr_sb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prepared"] == 1
    assert len(list(out.glob("sub-7/anat/*_T1w.nii.gz"))) == 1
    head = (out / "participants.tsv").read_text().splitlines()[0].split("\t")
    assert head == ["participant_id", "age", "cdr"]
    # The same words from a file, as the window saves them.
    experiment = tmp_path / "mine.yaml"
    experiment.write_text("task: alzheimers\ndata:\n  columns: {subject: Nr, mri: T1 file}\n")
    assert main([*order, "--config", str(experiment), "--json"]) == 0
    capsys.readouterr()
    for wrong, says in (("model.width=24", "how the table is read"), ("data.columns.mri=gone", "no column 'gone'")):
        assert main([*order, "data.columns.subject=Nr", wrong]) == 2
        assert says in capsys.readouterr().err


def test_two_rows_of_one_subject_do_not_take_each_others_place(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text(f"ptid,mri\nA,{pair[0]}\nA,{pair[0]}\n")
    assert main(["prepare", str(table), str(tmp_path / "out")]) == 2
    assert "data.columns.visit" in capsys.readouterr().err


@pytest.mark.slow
def test_a_simulated_pair_from_dicom_reaches_template_space(data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / "brain_pet_mr_simulated"
    if not source.is_dir():
        pytest.skip("the simulated pair is not here")
    for name in ("t1", "osem"):
        with tarfile.open(source / f"brainweb_06_{name}_dcm.tar.gz") as archive:
            archive.extractall(tmp_path / name, filter="data")
    found = prepare(tmp_path / "t1", tmp_path / "osem", tmp_path / "out")
    assert found.mri is not None
    assert found.pet is not None
    known = tissues(GRID)
    mri, suvr = read(found.mri).values(), read(found.pet).values()
    white, grey = known.white > 0.95, known.grey > 0.95
    assert np.median(mri[white]) > 1.2 * np.median(mri[grey])
    assert np.median(suvr[grey]) > 1.2 * np.median(suvr[white])
    assert sum(facts["seconds"] for facts in found.facts.values()) > 0
