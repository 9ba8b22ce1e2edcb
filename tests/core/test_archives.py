"""Archives of strangers are bounded by what they list and by what they unpack to, before memory is taken."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from core.archives import MOST_LIST_BYTES, check_list, opened_tar, opened_zip
from core.control import JobControl
from core.data.stays.files import files_of
from core.errors import DatasetError, ModelError
from core.inference.importing.contents import Contents
from core.models.archives import archive_fault

MEGABYTE = 2**20


def zip_bytes(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = b"a comment " * 20
    return made.getvalue()


def long_list(*, of_64_bits: bool) -> bytes:
    """The end of an archive that says its list of files is long."""
    size = MOST_LIST_BYTES + 1
    if not of_64_bits:
        return b"PK\3\4" + bytes(100) + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 9, 9, size, 0, 0)
    record = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, 9, 9, size, 0)
    locator = b"PK\6\7" + struct.pack("<LQL", 0, 104, 1)
    return b"PK\3\4" + bytes(100) + record + locator + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 9, 9, 46, 0, 0)


def tar_gz(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for info, content in members:
            file.write(info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
        file.write(bytes(1024))
    return path


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


@pytest.mark.parametrize("of_64_bits", [False, True])
def test_an_archive_that_lists_too_many_files_is_refused_unread(of_64_bits: bool, tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(long_list(of_64_bits=of_64_bits))
    with pytest.raises(zipfile.BadZipFile, match="too many"):
        check_list(io.BytesIO(path.read_bytes()))
    with pytest.raises(ModelError, match="too many files"):
        Contents(path)
    assert archive_fault(path, MEGABYTE)


def test_a_sound_archive_opens_whatever_its_comment(tmp_path: Path) -> None:
    path = tmp_path / "good.zip"
    path.write_bytes(zip_bytes(a=b"1", b=b"2"))
    with opened_zip(path) as archive:
        assert archive.read("b") == b"2"


def test_a_long_name_in_a_tar_is_not_read_into_memory(tmp_path: Path) -> None:
    size = 64 * MEGABYTE
    path = tar_gz(tmp_path / "name.tar.gz", (member("././@LongLink", size, tarfile.GNUTYPE_LONGNAME), bytes(size)))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="not readable"):
            list(files_of(path, JobControl()))
        assert tracemalloc.get_traced_memory()[1] < 8 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["big.bin", "big.csv"])
def test_a_member_that_unpacks_without_end_is_refused_unread_whether_it_is_wanted_or_not(
    name: str, tmp_path: Path
) -> None:
    path = tar_gz(tmp_path / "big.tar.gz", (member(name, 8 * 2**30), b""))
    with pytest.raises(DatasetError, match="unpacks to more"):
        list(files_of(path, JobControl()))


def test_damage_within_an_archive_is_told(tmp_path: Path) -> None:
    path = tar_gz(tmp_path / "stays.tar.gz", (member("1.csv", 5000), bytes(range(200)) * 25))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="not readable"):
        list(files_of(path, JobControl()))


@pytest.mark.parametrize("ending", ["", "gz", "bz2"])
def test_members_of_every_kind_of_tar_are_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "stays.tar"
    with tarfile.open(path, f"w:{ending}") as archive:
        archive.addfile(member("a/" + "n" * 150 + ".csv", 3), io.BytesIO(b"abc"))
    with opened_tar(path) as members:
        assert [(info.name[-5:], content(info)) for info, content in members] == [("n.csv", b"abc")]
