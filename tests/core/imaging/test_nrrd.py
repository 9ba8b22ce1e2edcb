from __future__ import annotations

import bz2
import gzip
import os

import numpy as np
import pytest

from core.errors import UnreadableScan
from core.imaging import bounds
from core.imaging.reader import is_scan, read

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
FIELDS = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "4 5 6",
    "space directions": "(0.5,0,0) (0,0.7,0) (0,0,2)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(10,20,30)",
}


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def header(**changes) -> bytes:
    """The fields with some changed; None leaves a field out. Underscores stand for spaces."""
    fields = {**FIELDS, **{name.replace("_", " "): value for name, value in changes.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\n".join(["NRRD0005", "# a comment", "free text:=anything: at all", *lines, "", ""]).encode()


def save(path, voxels=VOXELS, data=None, **changes):
    data = voxels.tobytes(order="F") if data is None else data
    path.write_bytes(header(**changes) + data)
    return path


def test_left_posterior_superior_becomes_ras(tmp_path):
    volume = read(save(tmp_path / "scan.nrrd"))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.voxels.dtype == np.int16
    expected = [[-0.5, 0, 0, -10], [0, -0.7, 0, -20], [0, 0, 2, 30], [0, 0, 0, 1]]
    np.testing.assert_array_equal(volume.affine_ras, expected)
    assert (volume.source.format, volume.findings) == ("NRRD", ())


@pytest.mark.parametrize(
    ("space", "orientation"),
    [
        ("right-anterior-superior", "RAS"),
        ("RAS", "RAS"),
        ("left-anterior-superior", "LAS"),
        ("LPS", "LPS"),
    ],
)
def test_every_space_is_placed_rightly(tmp_path, space, orientation):
    volume = read(save(tmp_path / "scan.nrrd", space=space))
    assert volume.orientation == orientation
    assert volume.findings == ()


def test_a_space_that_is_not_of_the_body_is_warned_about(tmp_path):
    for changes in ({"space": None, "space_dimension": "3"}, {"space": "scanner-xyz"}):
        volume = read(save(tmp_path / "scan.nrrd", **changes))
        assert "no_orientation" in codes(volume)
        assert volume.orientation == "LPS"  # as ITK takes it


def test_spacings_alone_give_sizes_and_a_warning(tmp_path):
    bare = {"space": None, "space_directions": None, "space_origin": None, "kinds": None}
    volume = read(save(tmp_path / "scan.nrrd", spacings="0.5 0.7 2", **bare))
    assert volume.spacing_mm == (0.5, 0.7, 2)
    assert codes(volume) == {"no_orientation"}
    volume = read(save(tmp_path / "scan.nrrd", **bare))
    assert codes(volume) == {"no_orientation", "no_spacing"}


@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_every_type_in_either_byte_order(tmp_path, code, endian):
    names = {"i1": "signed char", "u1": "unsigned char", "i2": "short", "u2": "unsigned short int", "i4": "int"}
    names |= {"u4": "uint32", "i8": "long long", "u8": "uint64_t", "f4": "float", "f8": "double"}
    voxels = VOXELS.astype((">" if endian == "big" else "<") + code)
    volume = read(save(tmp_path / "scan.nrrd", voxels, type=names[code], endian=endian))
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.voxels.dtype == np.dtype(code)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("gz", gzip.compress),
        ("bzip2", bz2.compress),
        ("text", lambda data: " ".join(map(str, np.frombuffer(data, np.int16))).encode()),
    ],
)
def test_every_encoding_attached_and_detached(tmp_path, encoding, encode):
    data = encode(VOXELS.tobytes(order="F"))
    volume = read(save(tmp_path / "scan.nrrd", data=data, encoding=encoding))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    (tmp_path / "voxels.bin").write_bytes(data)
    volume = read(save(tmp_path / "scan.nhdr", data=b"", encoding=encoding, data_file="voxels.bin"))
    np.testing.assert_array_equal(volume.voxels, VOXELS)


def test_lines_and_bytes_before_the_voxels_are_skipped(tmp_path):
    data = VOXELS.tobytes(order="F")
    (tmp_path / "voxels.raw").write_bytes(b"one\ntwo\nxyz" + data)
    path = save(tmp_path / "a.nhdr", data=b"", data_file="voxels.raw", line_skip="2", byte_skip="3")
    np.testing.assert_array_equal(read(path).voxels, VOXELS)
    path = save(tmp_path / "b.nhdr", data=b"", data_file="./voxels.raw", byte_skip="-1")
    np.testing.assert_array_equal(read(path).voxels, VOXELS)
    path = save(tmp_path / "c.nrrd", data=gzip.compress(b"xyz" + data), encoding="gzip", byte_skip="3")
    np.testing.assert_array_equal(read(path).voxels, VOXELS)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("kind", "code"), [("list", "vector"), ("time", "time_series"), ("vector", "vector")])
def test_a_fourth_axis_becomes_the_last(tmp_path, first, kind, code):
    voxels = np.arange(4 * 5 * 6 * 2, dtype=np.int16).reshape(4, 5, 6, 2)
    where = 0 if first else 3
    words = {"sizes": ["4", "5", "6"], "space_directions": FIELDS["space directions"].split(), "kinds": ["domain"] * 3}
    for name, word in (("sizes", "2"), ("space_directions", "none"), ("kinds", kind)):
        words[name].insert(where, word)
    changes = {name: " ".join(value) for name, value in words.items()}
    path = save(tmp_path / "scan.nrrd", np.moveaxis(voxels, -1, where), dimension="4", **changes)
    volume = read(path)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert codes(volume) == {code}
    assert volume.spacing_mm == (0.5, 0.7, 2)


def test_colours_become_brightness(tmp_path):
    colours = np.zeros((3, 4, 5, 6), np.uint8)
    colours[1, 2, 3, 4] = 100
    changes = {"sizes": "3 4 5 6", "space_directions": "none " + FIELDS["space directions"]}
    path = save(
        tmp_path / "scan.nrrd", colours, type="uchar", dimension="4", kinds="RGB-color domain domain domain", **changes
    )
    volume = read(path)
    assert volume.shape == (4, 5, 6)
    assert volume.voxels[2, 3, 4] == 59
    assert volume.voxels.sum() == 59


def test_a_picture_is_one_slice_deep(tmp_path):
    flat = {"dimension": "2", "sizes": "4 30", "space_directions": "(0.5,0,0) (0,0.7,0)", "kinds": "domain domain"}
    assert read(save(tmp_path / "scan.nrrd", **flat)).shape == (4, 30, 1)


def test_micrometres_become_millimetres(tmp_path):
    volume = read(save(tmp_path / "scan.nrrd", space_units='"um" "um" "um"'))
    assert volume.spacing_mm == pytest.approx((0.0005, 0.0007, 0.002))
    assert "units" in codes(volume)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"type": None}, "type"),
        ({"type": "block"}, "voxel type"),
        ({"sizes": "4 5"}, "size"),
        ({"sizes": "4 5 0"}, "size"),
        ({"sizes": "4 5 x"}, "damaged"),
        ({"sizes": "4 5 -6"}, "size"),
        ({"sizes": "100000 100000 100000"}, "limit"),
        ({"dimension": "17"}, "dimensions"),
        ({"endian": None}, "endian"),
        ({"endian": "middle"}, "byte order"),
        ({"encoding": "hex"}, "hexadecimal"),
        ({"space_directions": "(1,0,0) (0,1,0)"}, "directions"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,0,nan)"}, "no numbers"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,1,0)"}, "singular"),
        ({"space_directions": "(1,0,0) (0,1,0) (0,0,1e9)"}, "no places"),
        ({"space_origin": "(1,2)(3,4)"}, "origin"),
        ({"space_origin": "(1,2,inf)"}, "no numbers"),
        ({"byte_skip": "-2"}, "byte skip"),
        ({"byte_skip": "99999999999999999999"}, "cut off"),
        ({"line_skip": "9999"}, "line skip"),
        ({"data_file": "absent.raw"}, "missing"),
        ({"data_file": "slice%03d.raw 1 6 1"}, "missing"),
        ({"data_file": "slice%03d.raw 1 5 1"}, "5 files"),
        ({"data_file": "slice%03d.raw 1 6 0"}, "0 files"),
        ({"data_file": "slice%d.raw 1 99999999999 1"}, "files that the header names"),
        ({"data_file": "../slice%03d.raw 1 6 1"}, "does not lie beside it"),
        ({"data_file": "LIST"}, "files that the header names"),
    ],
)
def test_damaged_headers_are_refused(tmp_path, changes, says):
    with pytest.raises(UnreadableScan, match=says):
        read(save(tmp_path / "scan.nrrd", **changes))


def test_headers_without_end_or_with_doubled_fields_are_refused(tmp_path):
    path = tmp_path / "scan.nrrd"
    for content in (b"NRRD0005\n", b"NRRD0005\n" + b"x" * 5_000_000, b"NRRD", header()[:-2] + b"\ntype: int\n\n"):
        path.write_bytes(content)
        with pytest.raises(UnreadableScan):
            read(path)


@pytest.mark.parametrize("name", ["../voxels.raw", "{folder}/../voxels.raw", "link.raw", "sub/voxels.raw", "a\0b"])
def test_a_detached_header_names_only_files_beside_itself(tmp_path, name):
    folder = tmp_path / "scan"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub"):
        (place / "voxels.raw").write_bytes(VOXELS.tobytes(order="F"))
    if hasattr(os, "symlink"):
        (folder / "link.raw").symlink_to(tmp_path / "voxels.raw")
    path = save(folder / "scan.nhdr", data=b"", data_file=name.format(folder=folder))
    with pytest.raises(UnreadableScan, match="beside it"):
        read(path)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_no_truncated_file_ever_gives_voxels(tmp_path, encoding):
    encode = {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}[encoding]
    whole = save(tmp_path / "whole.nrrd", data=encode(VOXELS.tobytes(order="F")), encoding=encoding).read_bytes()
    path = tmp_path / "cut.nrrd"
    for cut in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:cut])
        with pytest.raises(UnreadableScan):
            read(path)


def test_nothing_is_taken_into_memory_for_a_size_above_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "size_limit", lambda: 100)
    with pytest.raises(UnreadableScan, match="limit"):
        read(save(tmp_path / "scan.nrrd"))


def test_a_compressed_stream_that_goes_on_and_on_is_refused(tmp_path):
    bomb = gzip.compress(VOXELS.tobytes(order="F") + bytes(5_000_000))
    with pytest.raises(UnreadableScan, match="goes on"):
        read(save(tmp_path / "scan.nrrd", data=bomb, encoding="gzip"))


def test_it_is_known_by_its_content(tmp_path):
    path = save(tmp_path / "scan")
    assert is_scan(path)
    assert read(path).source.format == "NRRD"


def test_real_files_have_their_sizes_and_places(data_folder):
    folder = data_folder / "nrrd_samples"
    expected = {
        "breast1": ((45, 120, 21), (0.664062, 0.664062, 2.1), "LPS", np.int16),
        "prostate_phantom_subvolume": ((82, 67, 13), (0.5, 0.5, 3.0), "RAS", np.uint16),
        "lung1": ((512, 512, 48), (0.5703125, 0.5703125, 5.0), "LPS", np.int16),
    }
    for path in folder.glob("*.nrrd"):
        name = path.stem.removesuffix("_image").removesuffix("_label").removesuffix("-label")
        shape, spacing, orientation, dtype = expected[name]
        volume = read(path)
        assert (volume.shape, volume.orientation, volume.findings) == (shape, orientation, ())
        assert volume.spacing_mm == pytest.approx(spacing)
        assert volume.voxels.dtype == (np.int16 if "label" in path.name else dtype)
    labels = read(folder / "prostate_phantom_subvolume-label.nrrd")
    assert set(np.unique(labels.voxels)) >= {1, 7, 8, 9}
    image = read(folder / "prostate_phantom_subvolume.nrrd")
    np.testing.assert_array_equal(labels.affine_ras, image.affine_ras)


def test_hexadecimal_digits_are_read(tmp_path):
    digits = VOXELS.tobytes(order="F").hex("\n", 30).encode()
    volume = read(save(tmp_path / "scan.nrrd", data=digits, encoding="hex"))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    with pytest.raises(UnreadableScan, match="cut off"):
        read(save(tmp_path / "short.nrrd", data=digits[:-4], encoding="hex"))


def listed(folder, names, form="LIST"):
    """A header whose last field is the list of its files."""
    text = header(data_file=None).rstrip(b"\n") + f"\ndata file: {form}\n".encode() + "\n".join(names).encode()
    (folder / "scan.nhdr").write_bytes(text)
    return folder / "scan.nhdr"


@pytest.mark.parametrize(("form", "files"), [("LIST", 6), ("LIST 2", 6), ("LIST 3", 3), ("LIST 3", 2), ("LIST 1", 30)])
def test_files_in_a_list_are_put_together_in_its_order(tmp_path, form, files):
    numbers = VOXELS.ravel(order="F").reshape(files, -1)
    names = [f"part {files - n}.raw" for n in range(files)]
    for name, part in zip(names, numbers, strict=True):
        (tmp_path / name).write_bytes(part.tobytes())
    np.testing.assert_array_equal(read(listed(tmp_path, names, form)).voxels, VOXELS)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_files_counted_through_are_put_together_in_their_order(tmp_path, compress):
    for n in range(6):
        (tmp_path / f"s{n + 1:03d}.raw").write_bytes(compress(VOXELS[:, :, n].tobytes(order="F")))
    encoding = "raw" if compress is bytes else "gzip"
    volume = read(save(tmp_path / "up.nhdr", data=b"", data_file="s%03d.raw 1 6 1", encoding=encoding))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    volume = read(save(tmp_path / "down.nhdr", data=b"", data_file="s%03d.raw 6 1 -1 2", encoding=encoding))
    np.testing.assert_array_equal(volume.voxels, VOXELS[:, :, ::-1])


def test_a_listed_file_that_is_cut_off_missing_or_elsewhere_is_refused(tmp_path):
    names = [f"{n}.raw" for n in range(6)]
    for n, name in enumerate(names):
        (tmp_path / name).write_bytes(VOXELS[:, :, n].tobytes(order="F"))
    (tmp_path / "3.raw").write_bytes(b"1234")
    with pytest.raises(UnreadableScan, match="cut off"):
        read(listed(tmp_path, names))
    (tmp_path / "3.raw").unlink()
    with pytest.raises(UnreadableScan, match="missing"):
        read(listed(tmp_path, names))
    with pytest.raises(UnreadableScan, match="does not lie beside it"):
        read(listed(tmp_path, ["../3.raw", *names[1:]]))
