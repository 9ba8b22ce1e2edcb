from __future__ import annotations

import contextlib
import json
import tarfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.uid import RLELossless

from core.control import JobControl
from core.errors import Cancelled, UnreadableScan
from core.imaging import folder as folder_module
from core.imaging.dicom import series_in
from core.imaging.geometry import index_to_ras_mm, ras_mm_to_index, to_canonical
from core.imaging.info import describe
from core.imaging.reader import is_scan, read
from core.imaging.transform import is_sheared
from tests.core.imaging.conftest import PATIENT, make_slice

HEIGHTS = [2.0 * k for k in range(8)]


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def canonical(voxels, affine):
    turn = to_canonical(affine)
    return turn.apply(voxels), turn.affine(affine, voxels.shape[:3])


# -- geometry ----------------------------------------------------------------------------------------------------------


def test_a_clean_series_has_its_geometry_and_no_findings(make_series):
    volume = read(make_series(HEIGHTS))
    assert volume.findings == ()
    assert volume.shape == (5, 6, 8)  # columns, rows, slices
    assert volume.spacing_mm == pytest.approx((0.8, 0.7, 2.0))
    assert volume.orientation == "LPS"
    assert (volume.slope, volume.intercept) == (1.0, -1024.0)
    assert volume.voxels.dtype == np.int16
    assert volume.source.modality == "CT"
    # Row 0, column 1 is marked: it lies one column spacing to the patient's left of the first pixel.
    marked = volume.voxels[1, 0, :]
    np.testing.assert_array_equal(marked, [10 * z + 1 for z in HEIGHTS])
    np.testing.assert_allclose(index_to_ras_mm(volume.affine_ras, np.array([1, 0, 0])), [3 - 0.8, 0, 0], atol=1e-9)


def test_slices_are_sorted_by_place_not_by_name_or_number(make_series):
    names = [f"IM{n}" for n in (5, 1, 7, 0, 3, 2, 6, 4)]  # and without suffixes
    numbers = {i: {"InstanceNumber": 8 - i} for i in range(8)}
    volume = read(make_series(HEIGHTS, names=names, vary=numbers))
    np.testing.assert_array_equal(volume.voxels[0, 0], [10 * z for z in HEIGHTS])
    assert volume.findings == ()


@pytest.mark.parametrize("tilt_deg", [20, -20])
def test_a_tilted_stack_is_resampled_straight_with_every_slice_at_its_place(make_series, tilt_deg):
    volume = read(make_series(HEIGHTS, tilt_deg=tilt_deg))
    assert codes(volume) == {"gantry_tilt"}
    assert not is_sheared(volume.affine_ras)
    assert volume.spacing_mm == pytest.approx((0.8, 0.7, 2.0))
    for k, z in enumerate(HEIGHTS):
        # Each slice holds 10 z and the lowest value around it; its header tells where its first pixel's centre is.
        corner = np.array([3, -z * np.tan(np.deg2rad(tilt_deg)), z])
        i, j, slice_index = ras_mm_to_index(volume.affine_ras, corner)
        assert (i, slice_index) == pytest.approx((0, k), abs=1e-6)
        holds = np.flatnonzero(np.asarray(volume.voxels[0, :, k]) == 10 * z)
        if k:  # the lowest slice is as the space around
            assert (holds.min(), holds.max()) == (np.floor(j + 1e-3), np.ceil(j + 5 - 1e-3))


def test_a_marker_in_a_tilted_stack_stays_at_its_place(make_series):
    """A line along z through the patient is seen in each slice at another row, and must come out upright."""
    rows, tilt = 40, 17.0
    heights = [2.0 * k for k in range(10)]
    vary = {}
    for k, z in enumerate(heights):
        pixels = np.zeros((rows, 5), np.int16)
        row = 20 - z * np.tan(np.deg2rad(tilt)) / 0.7
        low = int(np.floor(row))
        pixels[low], pixels[low + 1] = 1000 * (low + 1 - row), 1000 * (row - low)
        vary[k] = {"PixelData": pixels.tobytes(), "Rows": rows}
    volume = read(make_series(heights, tilt_deg=tilt, vary=vary))
    line = np.asarray(volume.voxels[2], float)  # (j, k)
    centre = (line * np.arange(len(line))[:, None]).sum(axis=0) / line.sum(axis=0)
    mm = [index_to_ras_mm(volume.affine_ras, np.array([2, j, k])) for k, j in enumerate(centre)]
    np.testing.assert_allclose(np.array(mm)[:, 1], -20 * 0.7, atol=0.01)


def test_a_drift_that_rounding_explains_is_no_tilt(make_series):
    vary = {7: {"ImagePositionPatient": [-3.0, 0.05, 14.0]}}
    volume = read(make_series(HEIGHTS, vary=vary))
    assert volume.findings == ()
    np.testing.assert_allclose(index_to_ras_mm(volume.affine_ras, np.array([0, 0, 7])), [3, -0.05, 14], atol=1e-6)


def test_a_missing_slice_is_filled_told_and_changes_no_place(make_series):
    volume = read(make_series(HEIGHTS[:3] + HEIGHTS[4:]))
    assert "missing_slices" in codes(volume)
    assert volume.spacing_mm[2] == pytest.approx(2.0)
    np.testing.assert_array_equal(volume.voxels[0, 0], [10 * z for z in HEIGHTS])


def test_uneven_slices_are_brought_to_an_even_grid_and_told(make_series):
    heights = [0, 2, 4, 6, 8, 11, 14, 17, 20]
    volume = read(make_series(heights))
    assert "uneven_slices" in codes(volume)
    assert volume.spacing_mm[2] == pytest.approx(2.0)
    np.testing.assert_array_equal(volume.voxels[0, 0], np.arange(0, 201, 20))


def test_rounded_positions_are_even(make_series):
    heights = [round(1.25 * k, 1) for k in range(9)]
    volume = read(make_series(heights))
    assert volume.findings == ()
    assert volume.spacing_mm[2] == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("heights", "changes", "says"),
    [
        (HEIGHTS, {3: {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}}, "orientations, and slices are missing"),
        (HEIGHTS, {3: {"PixelSpacing": [0.7, 0.9]}}, "pixel spacings, and slices are missing"),
        (HEIGHTS, {3: {"Rows": 5, "Columns": 6}}, "sizes"),
        (HEIGHTS, {3: {"FrameOfReferenceUID": "1.2.4"}}, "frames of reference"),
        (HEIGHTS, {3: {"ImagePositionPatient": [9, 9, 6]}}, "one line"),
        ([0, 2, 4, 60, 62], {}, "gap"),
        (HEIGHTS, {3: {"RescaleSlope": "NaN"}}, "scales its values"),
        (HEIGHTS, {3: {"PixelSpacing": [0, 0]}}, "pixel spacing"),
    ],
)
def test_slices_that_make_no_grid_are_refused(make_series, heights, changes, says):
    with pytest.raises(UnreadableScan, match=says):
        read(make_series(heights, vary=changes))


def test_the_same_slice_twice_is_taken_once_but_two_different_ones_are_refused(make_series):
    volume = read(make_series([*HEIGHTS, 6.0]))
    assert "duplicate_slices" in codes(volume)
    assert volume.shape == (5, 6, 8)
    other = np.full((6, 5), 77, np.int16).tobytes()
    with pytest.raises(UnreadableScan, match="same place"):
        read(make_series([*HEIGHTS, 6.0], folder="other", vary={8: {"PixelData": other}}))


def test_copies_of_a_file_are_taken_once(make_series):
    folder = make_series(HEIGHTS)
    (folder / "copy.dcm").write_bytes((folder / "002.dcm").read_bytes())
    volume = read(folder)
    assert volume.shape == (5, 6, 8)
    assert "copies" in codes(volume)


def test_repeated_places_become_time_points_in_order(make_series):
    times = {i: {"TemporalPositionIdentifier": 2 - i // 8, "RescaleIntercept": 0} for i in range(16)}
    folder = make_series([*HEIGHTS, *HEIGHTS], vary=times)
    for path in sorted(folder.iterdir())[:8]:  # the first eight files are of the second time point
        dataset = pydicom.dcmread(path)
        dataset.PixelData = (dataset.pixel_array + 1000).astype(np.int16).tobytes()
        dataset.save_as(path)
    volume = read(folder)
    assert volume.shape == (5, 6, 8, 2)
    np.testing.assert_array_equal(volume.voxels[0, 0, :, 0], [10 * z for z in HEIGHTS])
    np.testing.assert_array_equal(volume.voxels[0, 0, :, 1], [10 * z + 1000 for z in HEIGHTS])


def test_slices_of_different_scaling_are_scaled_each(make_series):
    volume = read(make_series(HEIGHTS, RescaleIntercept=0, vary={2: {"RescaleSlope": 3}}))
    assert "mixed_scaling" in codes(volume)
    assert volume.values()[0, 0, 2] == 3 * 40
    assert volume.values()[0, 0, 3] == 60


def test_one_slice_takes_its_thickness(make_series):
    volume = read(make_series([5.0]))
    assert volume.spacing_mm[2] == 2.0
    assert "single_slice" in codes(volume)


# -- series ------------------------------------------------------------------------------------------------------------


def test_the_largest_series_is_read_the_others_are_named_and_can_be_asked_for(make_series):
    folder = make_series(HEIGHTS)
    make_series([40, 42, 44], names=["a", "b", "c"], SeriesInstanceUID="1.2.9", Modality="MR", SeriesNumber=4)
    volume = read(folder)
    assert volume.shape[2] == 8
    (finding,) = [f for f in volume.findings if f.code == "several_series"]
    assert "MR 4 (3 images)" in finding.message
    assert [(s.uid, s.images) for s in series_in(folder)] == [("1.2.3", 8), ("1.2.9", 3)]
    assert read(folder, series="1.2.9").shape[2] == 3
    assert read(folder / "b").shape[2] == 3  # a file brings the series it belongs to
    with pytest.raises(UnreadableScan, match="not in this folder"):
        read(folder, series="9.9")


def test_screenshots_are_never_taken_for_the_scan_however_many(make_series):
    folder = make_series(HEIGHTS)
    names = [f"shot{n}" for n in range(12)]
    make_series(range(12), names=names, SeriesInstanceUID="1.2.9", Modality="OT", ImageOrientationPatient=None)
    for name in names:
        dataset = pydicom.dcmread(folder / name)
        del dataset.ImageOrientationPatient
        dataset.save_as(folder / name)
    assert read(folder).source.series == "1.2.3"


def test_other_files_beside_the_series_do_no_harm(make_series):
    folder = make_series(HEIGHTS)
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden").write_bytes(bytes(10))
    assert read(folder).findings == ()
    assert is_scan(folder)


def test_folders_with_nothing_to_read_say_so(tmp_path):
    with pytest.raises(UnreadableScan, match="empty"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnreadableScan, match="no DICOM images"):
        read(tmp_path)
    assert not is_scan(tmp_path)


def test_nothing_about_the_patient_is_kept(make_series):
    volume = read(make_series(HEIGHTS, PatientBirthDate="19700101", InstitutionName=PATIENT, PatientComments=PATIENT))
    assert PATIENT not in repr(volume.source) + repr(volume.findings) + json.dumps(describe(volume))


# -- pixels ------------------------------------------------------------------------------------------------------------


def test_rle_series_is_read_exactly(make_series):
    plain = read(make_series(HEIGHTS))
    folder = make_series(HEIGHTS, folder="rle")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    np.testing.assert_array_equal(read(folder).voxels, plain.voxels)


def test_cut_off_slices_are_refused(make_series):
    folder = make_series(HEIGHTS)
    path = folder / "003.dcm"
    for keep in (-1, -30, -59):
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(UnreadableScan):
            read(folder)


def test_reading_a_series_stops_when_cancelled(make_series):
    control = JobControl(listener=lambda fraction, _: control.cancel() if fraction else None)
    with pytest.raises(Cancelled):
        read(make_series(HEIGHTS), control)


# -- real series -------------------------------------------------------------------------------------------------------


def test_hippocampus_series_match_their_files(data_folder):
    for folder in sorted((data_folder / "dicom_hippocrop").glob("Study*")):
        volume = read(folder)
        assert volume.findings == ()
        assert volume.spacing_mm == (1, 1, 1)
        files = sorted((pydicom.dcmread(p) for p in folder.glob("*.dcm")), key=lambda d: d.ImagePositionPatient[2])
        np.testing.assert_array_equal(volume.voxels, np.stack([d.pixel_array.T for d in files], axis=-1))


def test_tilted_and_uneven_head_is_told_and_keeps_its_measured_slices(data_folder):
    folder = data_folder / "dicom_ct_gantry_tilt" / "GE_human_head"
    volume = read(folder)
    assert codes(volume) >= {"gantry_tilt", "uneven_slices"}
    assert not is_sheared(volume.affine_ras)
    files = sorted((pydicom.dcmread(p) for p in folder.glob("*.dcm")), key=lambda d: d.ImagePositionPatient[2])
    for file, slice_index in ((files[0], 0), (files[-1], volume.shape[2] - 1)):
        corner = np.array(file.ImagePositionPatient, float) * (-1, -1, 1)
        i, j, k = ras_mm_to_index(volume.affine_ras, corner)
        assert (i, k) == pytest.approx((0, slice_index), abs=1e-3)
        pixels = file.pixel_array.T.astype(float)
        # From the slice's own corner on; between two pixels where the shift is no whole number of them.
        start, part = int(np.floor(j + 1e-6)), j - np.floor(j + 1e-6)
        expected = pixels * (1 - part) + np.concatenate([pixels[:, :1], pixels[:, :-1]], axis=1) * part
        found = np.asarray(volume.voxels[:, start : start + 512, slice_index], float)
        np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize(
    ("source", "reference", "time_point", "factor"),
    [
        ("In/Philips", "Philips_WIP_B0_NS_801_e1.nii", 0, 1.27985 * 8.44864e-06),  # Philips' private scale
        ("In/Philips", "Philips_WIP_B0_NS_801_e2_fieldmaphz.nii", 1, 1.0),
        ("In/Siemens/XA10", "Siemens_REST1_w_SMS_PF7-8_6.nii", None, 1.0),
    ],
)
def test_enhanced_frames_match_the_reference_conversion(data_folder, source, reference, time_point, factor):
    folder = data_folder / "dicom_enhanced_multiframe"
    (path,) = (folder / "Ref").rglob(f"{reference}*")
    image = nib.load(path)
    volume = read(folder / source)
    ours = np.asarray(volume.voxels, float) * volume.slope + volume.intercept
    if time_point is not None:
        ours = ours[..., time_point]
    (ours, our_affine), (theirs, their_affine) = (
        canonical(ours, volume.affine_ras),
        canonical(image.get_fdata() * factor, image.affine),
    )
    np.testing.assert_allclose(our_affine, their_affine, atol=0.01)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=0.1)


def test_malformed_dicom_is_read_or_refused_but_nothing_else(data_folder):
    paths = [p for p in sorted((data_folder / "dicom_fuzz").rglob("*")) if p.is_file()]
    for path in paths[::3]:
        start = time.perf_counter()
        with contextlib.suppress(UnreadableScan):
            read(path)
        assert time.perf_counter() - start < 10, path


# -- discs and trees ---------------------------------------------------------------------------------------------------


def test_series_are_found_all_over_a_mixed_tree(make_series, tmp_path):
    make_series(HEIGHTS, folder="disc")
    for number, part in enumerate(("IMAGES/A", "IMAGES/B/C")):
        folder = tmp_path / "disc" / part
        folder.mkdir(parents=True)
        made = make_series(range(3 + number), folder=f"made{number}", SeriesInstanceUID=f"1.2.{number + 7}")
        for path in made.iterdir():
            path.rename(folder / path.stem)  # without suffixes
    (tmp_path / "disc" / "IMAGES" / "notes.txt").write_text("hello")
    found = series_in(tmp_path / "disc")
    assert [(s.uid, s.images) for s in found] == [("1.2.3", 8), ("1.2.8", 4), ("1.2.7", 3)]
    assert read(tmp_path / "disc", series="1.2.8").shape[2] == 4


def test_a_dicomdir_opens_the_disc_it_describes():
    """The library's own test disc: several patients' series in folders beside the DICOMDIR."""
    disc = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    assert is_scan(disc / "DICOMDIR")
    found = series_in(disc)
    assert len({series.uid.partition("#")[0] for series in found}) == 13
    made, refused = [], []
    for series in found:
        try:
            made.append((series, read(disc / "DICOMDIR", series=series.uid)))
        except UnreadableScan as error:
            refused.append(error.what)
    assert [volume.shape[2] for series, volume in made if series.parts == 1 and series.placed] == [5, 1, 1, 1, 1]
    # Localizers of several directions are split, X-ray pictures have no place; the rest is a scout with a far slice.
    assert len({series.uid.partition("#")[0] for series, _ in made if series.parts > 1}) == 4
    assert {volume.orientation for series, volume in made if not series.placed} == {"unknown"}
    assert len(refused) == 1 and "gap" in refused[0]


def test_a_folder_with_too_many_files_is_refused_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "_MOST_FILES", 20)
    for number in range(30):
        (tmp_path / str(number)).write_bytes(b"")
    with pytest.raises(UnreadableScan, match="more than 20 files"):
        read(tmp_path)


# -- enhanced files ----------------------------------------------------------------------------------------------------


def enhanced(path, heights=HEIGHTS, edit=None):
    """An enhanced MR file of a frame at each height, holding 10 z; `edit` may change its functional groups."""
    frames = np.stack([np.full((6, 5), 10 * z, np.int16) for z in heights])
    dataset = make_slice((0, 0, 0), 1, frames[0], NumberOfFrames=len(heights))
    dataset.PixelData = frames.tobytes()
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(dataset, name)

    def group(name, **values):
        outer, inner = pydicom.Dataset(), pydicom.Dataset()
        for key, value in values.items():
            setattr(inner, key, value)
        setattr(outer, name, [inner])
        return outer

    shared = group("PixelMeasuresSequence", PixelSpacing=[0.7, 0.8], SliceThickness=2)
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        group("PlanePositionSequence", ImagePositionPatient=[0, 0, float(z)]) for z in heights
    ]
    if edit:
        edit(dataset, group)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_frames_of_an_enhanced_file_lie_where_each_says(tmp_path):
    shuffled = [HEIGHTS[k] for k in (3, 0, 7, 1, 2, 6, 5, 4)]
    volume = read(enhanced(tmp_path / "scan", shuffled))
    assert volume.findings == ()
    np.testing.assert_array_equal(volume.voxels[0, 0], [10 * z for z in HEIGHTS])
    assert volume.spacing_mm == pytest.approx((0.8, 0.7, 2))


def test_a_frame_missing_in_an_enhanced_file_is_filled_and_told(tmp_path):
    assert "missing_slices" in codes(read(enhanced(tmp_path / "scan", HEIGHTS[:3] + HEIGHTS[4:])))


def own_orientation(dataset, group):
    dataset.PerFrameFunctionalGroupsSequence[3].update(
        group("PlaneOrientationSequence", ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    )


def own_measures(dataset, group):
    dataset.PerFrameFunctionalGroupsSequence[3].update(group("PixelMeasuresSequence", PixelSpacing=[1, 1]))


def no_place(dataset, group):
    del dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def fewer_groups(dataset, group):
    dataset.PerFrameFunctionalGroupsSequence.pop()


def more_frames(dataset, group):
    dataset.NumberOfFrames = 9
    dataset.PerFrameFunctionalGroupsSequence.append(group("PlanePositionSequence", ImagePositionPatient=[0, 0, 16.0]))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (own_orientation, "orientations"),
        (own_measures, "pixel spacings"),
        (no_place, "does not say where"),
        (fewer_groups, "number of frames"),
        (more_frames, "cut off"),
    ],
)
def test_frames_that_make_no_grid_are_refused(tmp_path, edit, says):
    with pytest.raises(UnreadableScan, match=says):
        read(enhanced(tmp_path / "scan", edit=edit))


def test_frames_of_different_scaling_are_scaled_each(tmp_path):
    def edit(dataset, group):
        for k, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            item.update(group("PixelValueTransformationSequence", RescaleSlope=k + 1, RescaleIntercept=-5))

    volume = read(enhanced(tmp_path / "scan", edit=edit))
    assert "mixed_scaling" in codes(volume)
    np.testing.assert_array_equal(volume.values()[0, 0], [10 * z * (k + 1) - 5 for k, z in enumerate(HEIGHTS)])


# -- a real pair of PET and MR -----------------------------------------------------------------------------------------


def test_simulated_pet_and_mr_series_match_their_files(data_folder, tmp_path):
    for name, modality in (("osem", "PT"), ("t1", "MR")):
        folder = tmp_path / name
        with tarfile.open(data_folder / "brain_pet_mr_simulated" / f"brainweb_06_{name}_dcm.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        volume = read(folder)
        assert (volume.shape, volume.spacing_mm, volume.orientation) == ((256, 256, 258), (1, 1, 1), "LPS")
        assert volume.source.modality == modality
        assert ("suv_unavailable" in codes(volume)) == (modality == "PT")
        files = [pydicom.dcmread(path, specific_tags=["ImagePositionPatient", "PixelData"])
                 for path in sorted(folder.rglob("*.dcm"))[::40]]  # fmt: skip
        for file in files:
            i, j, k = np.rint(
                ras_mm_to_index(volume.affine_ras, np.array(file.ImagePositionPatient, float) * (-1, -1, 1))
            ).astype(int)
            assert (i, j) == (0, 0)
            stored = np.frombuffer(file.PixelData, np.uint16).reshape(256, 256)
            np.testing.assert_array_equal(volume.voxels[:, :, k], stored.T)
