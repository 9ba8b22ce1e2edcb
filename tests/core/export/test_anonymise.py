from __future__ import annotations

import json
import re

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.uid import RLELossless, generate_uid

from core.cli import main
from core.control import JobControl
from core.errors import Cancelled, IsocenterError, UnreadableScan
from core.export.anonymise import BurnedInText, anonymise, clean_file, may_show_names
from core.export.profile import Renaming, cleaned
from core.imaging.reader import read

HEIGHTS = [2.0 * k for k in range(4)]
TOKEN = "Xq7token"  # in no word that may stay
TEXT = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "CS"}
BYTES = {"OB", "OW", "UN", "OB or OW"}
# One that the profile lists and one that it does not, of most kinds.
ITEM_TAGS = [
    tag_for_keyword(keyword)
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientComments",
        "InstitutionName",
        "AccessionNumber",
        "ReferringPhysicianName",
        "ContentDate",
        "AcquisitionDateTime",
        "ContentTime",
        "PatientAge",
        "SOPInstanceUID",
        "RetrieveURL",
        "TextValue",
        "CodeMeaning",
        "CodeValue",
        "Manufacturer",
        "PersonName",
        "ScheduledStationAETitle",
        "BodyPartExamined",
        "EncapsulatedDocument",
        "LUTExplanation",
        "ReferencedImageSequence",
        "FrameContentSequence",
    )
]
TIMES = {"DA": "19530427", "DT": "19530427112233", "TM": "112233", "AS": "042Y"}


def plant(dataset: Dataset, depth: int = 2) -> None:
    """The token, or a time that tells, in every element the standard knows and in a private block.

    Each sequence holds an item with one element of each kind, and another such item in a sequence of its own.
    """
    tags = DicomDictionary if depth == 2 else ITEM_TAGS
    for tag in tags:
        group, vr, keyword = tag >> 16, dictionary_VR(tag), keyword_for_tag(tag)
        if group in (0x0000, 0x0002, 0x0004, 0x0028, 0x5400, 0x7FE0, 0xFFFC) or not keyword or keyword in dataset:
            continue
        if vr in TEXT:
            value = TOKEN if vr != "UR" else f"http://{TOKEN}.org"
        elif vr in BYTES:
            vr, value = "OB", TOKEN.encode()
        elif vr in TIMES:
            value = TIMES[vr]
        elif vr == "UI":
            value = "1.2.3.53535353.1"
        elif vr == "SQ" and depth:
            value = [Dataset()]
            plant(value[0], depth - 1)
        else:
            continue
        dataset.add(pydicom.DataElement(tag, vr, value))
    block = dataset.private_block(0x0029, f"{TOKEN} PRIVATE", create=True)
    block.add_new(0x01, "LO", TOKEN)
    block.add_new(0x02, "OB", TOKEN.encode())
    item = Dataset()
    item.PatientComments = TOKEN
    block.add_new(0x03, "SQ", [item])


@pytest.fixture
def planted(make_series):
    """A series with the token everywhere, in the files' names, their preamble, and behind their pixels too."""
    folder = make_series(HEIGHTS[:1], names=[f"{TOKEN}.dcm"])
    with pydicom.config.disable_value_validation():
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            plant(dataset)
            dataset.BurnedInAnnotation = "NO"
            del dataset.ConversionType
            dataset.add_new(0x60000022, "LO", TOKEN)
            dataset.add_new(0x60003000, "OW", TOKEN.encode())
            dataset.file_meta.SourceApplicationEntityTitle = TOKEN
            dataset.file_meta.ImplementationVersionName = TOKEN
            dataset.PixelData += TOKEN.encode()
            dataset.SpecificCharacterSet = "ISO_IR 100"
            dataset.preamble = TOKEN.encode() * 16
            dataset.DataSetTrailingPadding = TOKEN.encode()
            dataset.save_as(path)
            assert path.read_bytes().count(TOKEN.encode()) > 1000
    return folder


def test_no_token_survives_in_any_byte(planted, tmp_path):
    out = tmp_path / "out"
    told = anonymise(planted, out)
    assert (told.images, told.series) == (1, 1)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert [path.name for path in files] == [f"IM_{n:05}.dcm" for n in (1,)]
    for path in files:
        content = path.read_bytes()
        for secret in (TOKEN, "19530427", "112233", "53535353", "SECRET", "042Y"):
            assert secret.lower().encode() not in content.lower()
        dataset = pydicom.dcmread(path)
        assert not [e for e in dataset.iterall() if e.tag.is_private]


def test_the_scan_is_the_same_without_its_patient(make_series, tmp_path):
    source = make_series(HEIGHTS)
    before = read(source)
    after = read(anonymise(source, tmp_path / "out").folder)
    np.testing.assert_array_equal(after.voxels, before.voxels)
    np.testing.assert_array_equal(after.affine_ras, before.affine_ras)
    assert (after.slope, after.intercept) == (before.slope, before.intercept)
    assert after.source.modality == "CT"


def test_the_files_say_how_they_were_cleaned(make_series, tmp_path):
    anonymise(make_series(HEIGHTS), tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        assert dataset.PatientIdentityRemoved == "YES"
        assert "PS3.15" in dataset.DeidentificationMethod[0]
        assert [c.CodeValue for c in dataset.DeidentificationMethodCodeSequence] == ["113100"]
        assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
        assert re.fullmatch(r"ANON-[0-9A-F]{8}", dataset.PatientID)


def test_uids_are_renamed_alike_within_an_export_and_anew_in_the_next(make_series, tmp_path):
    source = make_series(HEIGHTS)
    first = pydicom.dcmread(next(iter(sorted(source.iterdir()))))
    for path in source.iterdir():
        dataset = pydicom.dcmread(path)
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
        dataset.ReferencedImageSequence = [reference]
        dataset.save_as(path)
    exports = []
    for name in ("one", "two"):
        anonymise(source, tmp_path / name)
        exports.append([pydicom.dcmread(path) for path in sorted((tmp_path / name).rglob("*.dcm"))])
    for made in exports:
        assert len({d.SeriesInstanceUID for d in made}) == len({d.StudyInstanceUID for d in made}) == 1
        assert len({d.SOPInstanceUID for d in made}) == 4
        assert {d.ReferencedImageSequence[0].ReferencedSOPInstanceUID for d in made} == {made[0].SOPInstanceUID}
        assert made[0].SOPClassUID == first.SOPClassUID == made[0].ReferencedImageSequence[0].ReferencedSOPClassUID
        assert made[0].file_meta.MediaStorageSOPInstanceUID == made[0].SOPInstanceUID
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "PatientID"):
        assert len({str(d[name].value) for d in (first, exports[0][0], exports[1][0])}) == 3


def test_patients_of_one_export_stay_apart(make_series, tmp_path):
    for name in "ab":
        make_series(HEIGHTS, folder=f"all_{name}", SeriesInstanceUID=f"1.2.{ord(name)}", PatientID=name)
    both = tmp_path / "both"
    both.mkdir()
    for name in "ab":
        (tmp_path / f"all_{name}").rename(both / name)
    told = anonymise(both, tmp_path / "out")
    assert told.series == 2
    patients = [{pydicom.dcmread(p).PatientID for p in f.iterdir()} for f in sorted((tmp_path / "out").iterdir())]
    assert [len(ids) for ids in patients] == [1, 1]
    assert patients[0] != patients[1]
    only = anonymise(both, tmp_path / "only", series="1.2.98")
    assert (only.series, only.images) == (1, 4)


@pytest.mark.parametrize(
    ("changes", "doubtful"),
    [
        ({"Modality": "CT"}, False),
        ({"Modality": "US"}, True),
        ({"Modality": "XA"}, True),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, False),
        ({"Modality": "CT", "BurnedInAnnotation": "YES"}, True),
        ({"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"Modality": "CT", "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, True),
        ({"Modality": "CT", "ImageType": ["DERIVED", "SECONDARY", "MPR"]}, False),
    ],
)
def test_pictures_that_may_hold_names_need_a_look(make_series, tmp_path, changes, doubtful):
    source = make_series(HEIGHTS, **changes)
    assert may_show_names(pydicom.dcmread(next(source.iterdir()))) == doubtful
    if doubtful:
        with pytest.raises(BurnedInText, match="4 images"):
            anonymise(source, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    anonymise(source, tmp_path / "out", burned_in_checked=True)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 4


def test_an_overlay_hidden_in_the_pixels_needs_a_look(make_series):
    header = pydicom.dcmread(next(make_series(HEIGHTS, BurnedInAnnotation="NO").iterdir()))
    assert not may_show_names(header)
    header.add_new(0x60000010, "US", 6)
    assert may_show_names(header)
    header.add_new(0x60003000, "OW", bytes(4))
    assert not may_show_names(header)


def test_compressed_pixels_stay_as_they_are(make_series, tmp_path):
    source = make_series(HEIGHTS)
    for path in source.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    anonymise(source, tmp_path / "out")
    for old, new in zip(sorted(source.iterdir()), sorted((tmp_path / "out").rglob("*.dcm")), strict=True):
        one, other = pydicom.dcmread(old), pydicom.dcmread(new)
        assert other.file_meta.TransferSyntaxUID == RLELossless
        assert one.PixelData == other.PixelData


@pytest.mark.parametrize("file", ["1.dcm", "2.dcm", "3.dcm", "4.dcm"])  # explicit, implicit, big endian, run lengths
def test_every_order_of_bytes_keeps_its_pixels(data_folder, tmp_path, file):
    source = data_folder / "dicom_transfer_syntaxes" / "In" / file
    clean_file(source, tmp_path / file, Renaming())
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / file)
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)
    assert (after.Rows, after.PixelSpacing) == (before.Rows, before.PixelSpacing)


def test_comments_of_jpeg_frames_go(data_folder, tmp_path):
    from pydicom.encaps import encapsulate, generate_frames

    found = 0
    for path in sorted((data_folder / "dicom_transfer_syntaxes" / "In").rglob("*")):
        if not path.is_file():
            continue
        try:
            dataset = pydicom.dcmread(path)
            name = dataset.file_meta.TransferSyntaxUID.name
        except Exception:
            continue
        if "JPEG" not in name or "PixelData" not in dataset:
            continue
        frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
        marker = b"\xff\x64" if "2000" in name else b"\xff\xfe"
        comment = marker + (len(TOKEN) + 2).to_bytes(2, "big") + TOKEN.encode()
        # A J2K code stream begins with SOC and SIZ, after which comments may stand.
        at = 4 + int.from_bytes(frames[0][4:6], "big") if "2000" in name else 2
        dataset.PixelData = encapsulate([f[:at] + comment + f[at:] for f in frames])
        folder = tmp_path / f"in{found}"
        folder.mkdir()
        dataset.save_as(folder / "a.dcm")
        out = anonymise(folder, tmp_path / f"out{found}", burned_in_checked=True).folder
        (made,) = out.rglob("*.dcm")
        assert TOKEN.encode() not in made.read_bytes()
        again = list(generate_frames(pydicom.dcmread(made).PixelData, number_of_frames=len(frames)))
        assert len(again) == len(frames)
        assert all(len(new) <= len(old) + 1 for new, old in zip(again, frames, strict=True))
        found += 1
    assert found > 3


def test_enhanced_images_keep_their_geometry_and_lose_their_patient(data_folder, tmp_path):
    source = data_folder / "dicom_enhanced_multiframe" / "In" / "Philips" / "IM_0027_fMAP.dcm"
    before = read(source)
    after = read(anonymise(source, tmp_path / "out").folder)
    np.testing.assert_array_equal(after.voxels, before.voxels)
    np.testing.assert_allclose(after.affine_ras, before.affine_ras, atol=1e-6)
    (made,) = (tmp_path / "out").rglob("*.dcm")
    assert b"ROGERS" in source.read_bytes()
    assert b"ROGERS" not in made.read_bytes()


def test_real_series_lose_every_value_that_named_their_patient(data_folder, tmp_path):
    for n, source in enumerate(sorted((data_folder / "dicom_hippocrop").glob("Study*"))):
        header = pydicom.dcmread(next(source.iterdir()))
        names = ("PatientID", "AccessionNumber", "StudyDate", "StudyDescription", "StudyInstanceUID")
        secrets = [str(header[name].value) for name in names] + str(header.PatientName).split("^")
        out = anonymise(source, tmp_path / str(n)).folder
        for path in out.rglob("*.dcm"):
            content = path.read_bytes()
            assert not [s for s in secrets if len(s) > 3 and s.encode() in content]
        np.testing.assert_array_equal(read(out).voxels, read(source).voxels)


def test_known_codes_keep_their_standard_meaning_and_others_go():
    header = Dataset()
    known, other = Dataset(), Dataset()
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "T-A0100", "SRT", f"Brain of {TOKEN}"
    other.CodeValue, other.CodingSchemeDesignator, other.CodeMeaning = TOKEN, "99LOCAL", TOKEN
    header.AnatomicRegionSequence = [known, other]
    first, second = cleaned(header, Renaming()).AnatomicRegionSequence
    assert (first.CodeValue, first.CodeMeaning) == ("T-A0100", "Brain structure (body structure)")
    assert (second.CodeValue, second.CodeMeaning) == ("ANONYMIZED", "ANONYMIZED")


def test_only_new_folders_elsewhere_are_written_and_a_cancel_leaves_none(make_series, tmp_path):
    source = make_series(HEIGHTS)
    with pytest.raises(IsocenterError, match="inside"):
        anonymise(source, source / "out")
    full = tmp_path / "full"
    full.mkdir()
    (full / "a").write_text("a")
    with pytest.raises(IsocenterError, match="there already"):
        anonymise(source, full)
    control = JobControl(lambda _fraction, message: control.cancel() if "image 3" in message else None)
    with pytest.raises(Cancelled):
        anonymise(source, tmp_path / "out", control=control)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnreadableScan, match="no DICOM images"):
        anonymise(empty, tmp_path / "out")
    with pytest.raises(UnreadableScan, match="no such file or folder"):
        anonymise(tmp_path / "nothing", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "full", "series"]


def test_damaged_images_are_named_and_keep_no_other_from_being_cleaned(make_series, tmp_path, capsys):
    source = make_series(HEIGHTS)
    first, second, third, _ = sorted(source.glob("*"))
    first.write_bytes(first.read_bytes()[:-100])
    second.write_bytes(second.read_bytes()[:140])
    header = pydicom.dcmread(third)
    del header.SOPClassUID
    header.save_as(third, enforce_file_format=False)
    out = tmp_path / "out"
    assert main(["anonymise", str(source), str(out), "--json"]) == 2
    printed, said = capsys.readouterr()
    told = json.loads(printed)
    assert {one["file"] for one in told["failed"]} == {str(first), str(second), str(third)}
    assert told["images"] == 1
    assert "pixels are missing" in said
    assert "Traceback" not in said
    assert len(list(out.rglob("*.dcm"))) == 1


def test_a_series_of_nothing_but_damaged_images_leaves_no_folder(make_series, tmp_path):
    source = make_series(HEIGHTS)
    for path in source.glob("*"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableScan, match="damaged"):
        anonymise(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_the_command_asks_for_a_look_and_takes_a_yes(make_series, tmp_path, capsys):
    source, out = make_series(HEIGHTS, Modality="US"), tmp_path / "out"
    assert main(["anonymise", str(source), str(out)]) == 2
    assert "--burned-in-checked" in capsys.readouterr().err
    assert main(["anonymise", str(source), str(out), "--burned-in-checked", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["series"]) == (4, 1)
    assert "PS3.15" in told["method"]


def test_what_dicom_defines_is_not_renamed():
    renaming, mine = Renaming(), generate_uid()
    assert renaming.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert renaming.uid(mine) == renaming.uid(mine) != mine
    assert renaming.uid("1.2.840.10008.999.53535353").startswith("2.25.")
