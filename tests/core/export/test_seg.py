from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread

from core.errors import IsocenterError
from core.export.labelled import Labelled
from core.export.seg import write_seg
from core.imaging.reader import read
from tests.core.making import write_nifti

HEIGHTS = [2.5 * k for k in range(6)]
TURN = np.linalg.qr(np.array([[0.9, 0.2, -0.1], [-0.3, 0.8, 0.4], [0.1, -0.3, 0.9]]))[0]


def boxes(shape) -> np.ndarray:
    """Two structures without any symmetry, with gaps between their label values."""
    labels = np.zeros(shape, np.uint16)
    labels[1:4, 0:3, 1:3] = 2
    labels[0:2, 3:5, 2:5] = 7
    labels[3, 4, 4] = 7
    return labels


def voxels_by_place(path) -> dict[tuple[int, tuple[float, ...]], np.ndarray]:
    """(segment, position of the frame) -> (rows, columns), as any other program would read it."""
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    found = {}
    for frame, own in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        segment = (own if "SegmentIdentificationSequence" in own else shared).SegmentIdentificationSequence[0]
        place = tuple(float(x) for x in own.PlanePositionSequence[0].ImagePositionPatient)
        found[int(segment.ReferencedSegmentNumber), place] = frame
    return found


def check_round_trip(path, labelled, scan, tolerance_mm=0.0) -> None:
    """Every voxel of every segment is where the label map has it in the patient, and no other is marked."""
    found = voxels_by_place(path)
    dataset = pydicom.dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    rows_mm, columns_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    direction = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    marked = {}
    for (segment, place), frame in found.items():
        for row, column in np.argwhere(frame):
            point = np.array(place) + direction[0] * columns_mm * column + direction[1] * rows_mm * row
            marked.setdefault(segment, []).append(point * (-1, -1, 1))
    for segment, value in enumerate(labelled.present(), start=1):
        expected = np.argwhere(labelled.labels == value) @ scan.affine_ras[:3, :3].T + scan.affine_ras[:3, 3]
        got = np.array(marked.pop(segment))
        assert len(got) == len(expected)
        gaps = np.linalg.norm(got[:, None] - expected[None], axis=2)
        assert gaps.min(axis=1).max() <= max(tolerance_mm, 1e-6)
        assert len(set(gaps.argmin(axis=1))) == len(expected)
    assert not marked


@pytest.fixture
def oblique(make_series):
    """An oblique series of pixels 0.7 x 0.8 mm, in files whose order is against that of the slices."""
    direction = [float(round(x, 8)) for x in (*TURN[:, 0], *TURN[:, 1])]
    normal = np.cross(direction[:3], direction[3:])
    places = {
        i: {
            "ImagePositionPatient": [float(f"{x:.6f}") for x in np.array([-30.0, 12.0, 5.0]) + z * normal],
            "InstanceNumber": 6 - i,
        }
        for i, z in enumerate(HEIGHTS)
    }
    names = [f"{9 - i}.dcm" for i in range(6)]
    return make_series(HEIGHTS, names=names, vary=places, ImageOrientationPatient=direction)


def made(scan, names=None) -> Labelled:
    return Labelled(boxes(scan.grid_shape), scan.affine_ras, names or {2: "Left thing", 7: "Right thing"}, "m", "1.2")


def test_voxels_and_positions_of_an_oblique_series_come_back_exactly(oblique, tmp_path):
    scan = read(oblique)
    labelled, out = made(scan), tmp_path / "seg.dcm"
    write_seg(out, labelled, scan)
    check_round_trip(out, labelled, scan)
    sources = {str(s.SOPInstanceUID): s for s in map(pydicom.dcmread, oblique.iterdir())}
    seg = segread(out)
    for own in seg.PerFrameFunctionalGroupsSequence:
        (source,) = own.DerivationImageSequence[0].SourceImageSequence
        named = sources[str(source.ReferencedSOPInstanceUID)]
        assert own.PlanePositionSequence[0].ImagePositionPatient == named.ImagePositionPatient
    # And through the library's own reading by source image: (instances, rows, columns, segments).
    order = sorted(sources.values(), key=lambda s: -s.InstanceNumber)
    pixels = seg.get_pixels_by_source_instance([s.SOPInstanceUID for s in order], assert_missing_frames_are_empty=True)
    by_k = labelled.labels.transpose(2, 1, 0)
    np.testing.assert_array_equal(pixels[..., 0], by_k == 2)
    np.testing.assert_array_equal(pixels[..., 1], by_k == 7)


def test_a_tilted_series_keeps_its_places(make_series, tmp_path):
    scan = read(make_series(HEIGHTS, tilt_deg=18))
    labelled, out = made(scan), tmp_path / "seg.dcm"
    write_seg(out, labelled, scan)
    check_round_trip(out, labelled, scan, 1e-4)


def test_slices_that_were_filled_in_while_reading_are_kept(make_series, tmp_path):
    scan = read(make_series(HEIGHTS[:2] + HEIGHTS[3:]))
    assert scan.grid_shape[2] == len(HEIGHTS)
    labelled, out = made(scan), tmp_path / "seg.dcm"
    write_seg(out, labelled, scan)
    check_round_trip(out, labelled, scan, 1e-4)


def test_it_says_who_drew_it_and_that_it_is_for_research(oblique, tmp_path):
    scan = read(oblique)
    write_seg(tmp_path / "seg.dcm", made(scan), scan)
    seg = segread(tmp_path / "seg.dcm")
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Left thing", "Right thing"]
    for segment in seg.SegmentSequence:
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("m", "1.2")
    assert seg.ContentLabel == "SEGMENTATION"
    assert "research use only" in seg.SeriesDescription
    assert seg.Modality == "SEG"


def test_the_patient_is_the_source_s_and_nothing_is_invented(oblique, tmp_path):
    scan = read(oblique)
    write_seg(tmp_path / "seg.dcm", made(scan), scan)
    seg, source = segread(tmp_path / "seg.dcm"), pydicom.dcmread(next(oblique.iterdir()))
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert seg[name].value == source[name].value
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    for name in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"):
        assert name not in source
        assert not seg[name].value


def test_names_beyond_ascii_survive_with_the_patient_s(make_series, tmp_path):
    folder = make_series(HEIGHTS, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    scan = read(folder)
    write_seg(tmp_path / "seg.dcm", made(scan, {2: "Höhle", 7: "海馬"}), scan)
    seg = segread(tmp_path / "seg.dcm")
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Höhle", "海馬"]
    assert str(seg.PatientName) == "Müller^Jörg"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda scan: Labelled(np.zeros(scan.grid_shape, np.uint16), scan.affine_ras), "marks nothing"),
        (lambda scan: Labelled(boxes((7, 7, 7)), scan.affine_ras), "another grid"),
        (lambda scan: Labelled(boxes(scan.grid_shape), scan.affine_ras @ np.diag([1, 1, 1.1, 1])), "another grid"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(oblique, tmp_path, spoil, says):
    scan = read(oblique)
    (tmp_path / "out").mkdir()
    with pytest.raises(IsocenterError, match=says):
        write_seg(tmp_path / "out" / "seg.dcm", spoil(scan), scan)
    assert not list((tmp_path / "out").iterdir())


def test_only_dicom_has_a_dicom_segmentation_and_only_with_a_frame_of_reference(make_series, tmp_path):
    nifti = read(write_nifti(tmp_path / "scan.nii.gz", np.arange(6**3).reshape(6, 6, 6).astype(np.int16)))
    with pytest.raises(IsocenterError, match="needs the DICOM series"):
        write_seg(tmp_path / "seg.dcm", made(nifti), nifti)
    scan = read(make_series(HEIGHTS, FrameOfReferenceUID=""))
    with pytest.raises(IsocenterError, match="frame of reference"):
        write_seg(tmp_path / "seg.dcm", made(scan), scan)


def test_real_series_come_back_exactly(data_folder, tmp_path):
    for folder in sorted((data_folder / "dicom_hippocrop").glob("Study*")):
        scan = read(folder)
        labels = np.zeros(scan.grid_shape, np.uint16)
        middle = tuple(slice(n // 3, n // 2) for n in scan.grid_shape)
        labels[middle] = 1
        labels[middle[0], middle[1], scan.grid_shape[2] // 2 :] = 2
        labelled, out = Labelled(labels, scan.affine_ras, {1: "Anterior", 2: "Posterior"}, "h", "1"), tmp_path / "s.dcm"
        write_seg(out, labelled, scan)
        check_round_trip(out, labelled, scan)


@pytest.mark.parametrize(
    "source",
    ["dicom_ct_gantry_tilt/GE_human_head", "dicom_enhanced_multiframe/In/Philips/IM_0027_fMAP.dcm",
     "dicom_enhanced_multiframe/In/Siemens/XA10"],
)  # fmt: skip
def test_tilted_and_enhanced_series_keep_their_places(data_folder, tmp_path, source):
    scan = read(data_folder / source)
    labels = np.zeros(scan.grid_shape, np.uint16)
    middle = tuple(slice(n // 3, n // 3 + 3) for n in scan.grid_shape)
    labels[middle] = 1
    labelled = Labelled(labels, scan.affine_ras, {1: "Cube"}, "h", "1")
    write_seg(tmp_path / "s.dcm", labelled, scan)
    check_round_trip(tmp_path / "s.dcm", labelled, scan, 0.01)


def test_known_structures_carry_their_codes_and_sides(oblique, tmp_path):
    scan = read(oblique)
    labelled = Labelled(boxes(scan.grid_shape), scan.affine_ras, {2: "Anterior, left", 7: "My thing"}, "hippocampus")
    write_seg(tmp_path / "seg.dcm", labelled, scan)
    known, unknown = segread(tmp_path / "seg.dcm").SegmentSequence
    (kind,) = known.SegmentedPropertyTypeCodeSequence
    assert (kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning) == ("5366008", "SCT", "Hippocampus")
    meanings = [code.CodeMeaning for code in kind.SegmentedPropertyTypeModifierCodeSequence]
    assert meanings == ["Anterior", "Left"]
    assert known.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Anatomical Structure"
    assert unknown.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"


def errors_of(path) -> list[str]:
    """What dciodvfy (of dicom3tools) finds wrong with a DICOM file. Skips where it is not installed."""
    checker = shutil.which("dciodvfy")
    if checker is None:
        pytest.skip("dciodvfy is not installed; it comes with dicom3tools")
    done = subprocess.run([checker, "-new", str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert "Segmentation" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("tags", [{}, {"PatientIdentityRemoved": "YES", "DeidentificationMethod": ""}])
def test_the_standard_s_checker_finds_no_error(make_series, tmp_path, tags):
    scan = read(make_series(HEIGHTS, FrameOfReferenceUID="1.2.4", **tags))
    write_seg(tmp_path / "seg.dcm", made(scan, {2: "Hippocampus, left", 7: "Höhle"}), scan)
    assert errors_of(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize(
    "source",
    ["dicom_hippocrop/Study1_13_HCropVolume", "dicom_ct_gantry_tilt/GE_human_head",
     "dicom_enhanced_multiframe/In/Philips/IM_0027_fMAP.dcm", "dicom_enhanced_multiframe/In/Siemens/XA10"],
)  # fmt: skip
def test_the_standard_s_checker_finds_no_error_with_real_series(data_folder, tmp_path, source):
    scan = read(data_folder / source)
    labels = np.zeros(scan.grid_shape, np.uint16)
    labels[tuple(slice(n // 3, n // 3 + 3) for n in scan.grid_shape)] = 1
    write_seg(tmp_path / "s.dcm", Labelled(labels, scan.affine_ras, {1: "Brain"}, "h", "1"), scan)
    assert errors_of(tmp_path / "s.dcm") == []
