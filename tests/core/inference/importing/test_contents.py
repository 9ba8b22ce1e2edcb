from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from core.errors import ModelError
from core.inference.importing import import_model
from core.inference.importing.contents import Contents


@pytest.mark.parametrize("name", ["../plans.json", "/etc/passwd", "a/../../b", "..\\evil", "C:\\evil"])
def test_an_archive_that_names_files_outside_of_itself_is_refused(tmp_path: Path, name: str):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, "{}")
    with pytest.raises(ModelError, match="outside of itself"):
        Contents(path)


def test_links_are_refused(tmp_path: Path):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("plans.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="link"):
        Contents(path)
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plans.json").symlink_to(secret)
    with pytest.raises(ModelError, match="not a plain file"):
        Contents(folder).json("plans.json")


def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("plans.json", bytes(50_000_000))
    with pytest.raises(ModelError, match="larger than"):
        Contents(path).read("plans.json", 100_000_000)


def test_what_is_no_model_is_told_what_would_be(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.zip").write_bytes(b"no archive")
    for path in (tmp_path / "file.zip", tmp_path / "absent.zip"):
        with pytest.raises(ModelError):
            import_model(path)
    with pytest.raises(ModelError, match=r"plans\.json"):
        import_model(tmp_path / "folder")
