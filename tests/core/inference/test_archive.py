from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.catalog import Catalog
from core.errors import ModelError
from core.inference import archive
from core.inference.archive import export_package, import_package
from core.inference.package import FILES, ModelPackage, find_package
from core.paths import models_folder

Make = Callable[..., ModelPackage]


@pytest.fixture
def elsewhere(make_package: Make, tmp_path: Path) -> ModelPackage:
    """A package outside of the home folder."""
    return make_package(folder=tmp_path / "elsewhere")


def members(package: ModelPackage) -> dict[str, bytes]:
    return {name: (package.folder / name).read_bytes() for name in FILES}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def nothing_was_imported() -> bool:
    return not models_folder().exists() or not list(models_folder().iterdir())


def test_a_package_comes_back_from_its_archive_as_it_was(elsewhere: ModelPackage, tmp_path: Path):
    path = export_package(elsewhere, tmp_path)
    assert path.name == "bright-1.0.zip"
    imported = import_package(path)
    assert imported.folder == models_folder() / "bright-1.0"
    assert members(imported) == members(elsewhere)
    assert find_package("bright") == imported
    with Catalog() as catalog:
        assert [(row["name"], row["version"]) for row in catalog.models()] == [("bright", "1.0")]


def test_a_folder_can_be_imported(elsewhere: ModelPackage):
    assert members(import_package(elsewhere.folder)) == members(elsewhere)


def test_a_model_that_is_there_is_not_overwritten(elsewhere: ModelPackage, tmp_path: Path):
    path = export_package(elsewhere, tmp_path)
    import_package(path)
    with pytest.raises(ModelError, match="already"):
        import_package(path)


@pytest.mark.parametrize(
    "name",
    ["../card.md", "../../card.md", "/card.md", "a/../../card.md", "a/b/card.md", "evil.py", "card.md/x", "..\\x"],
)
def test_an_archive_with_other_files_is_refused(elsewhere: ModelPackage, tmp_path: Path, name: str):
    files = members(elsewhere)
    del files["card.md"]
    with pytest.raises(ModelError):
        import_package(make_zip(tmp_path / "evil.zip", {**files, name: b"x"}))
    assert nothing_was_imported()
    assert not list(tmp_path.rglob("evil.py"))


def test_a_link_in_an_archive_is_refused(elsewhere: ModelPackage, tmp_path: Path):
    path = make_zip(tmp_path / "link.zip", {k: v for k, v in members(elsewhere).items() if k != "card.md"})
    with zipfile.ZipFile(path, "a") as made:
        link = zipfile.ZipInfo("card.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="link"):
        import_package(path)
    assert nothing_was_imported()


def test_a_bomb_is_refused_before_it_unfolds(elsewhere: ModelPackage, tmp_path: Path):
    files = {**members(elsewhere), "weights.safetensors": bytes(50_000_000)}
    with pytest.raises(ModelError, match="larger than"):
        import_package(make_zip(tmp_path / "bomb.zip", files))
    assert nothing_was_imported()


def test_too_many_members_are_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="holds"):
        import_package(make_zip(tmp_path / "many.zip", {f"{n}.txt": b"" for n in range(archive.MAX_MEMBERS + 1)}))


@pytest.mark.parametrize("missing", ["model.yaml", "weights.safetensors"])
def test_an_archive_without_its_parts_is_refused(elsewhere: ModelPackage, tmp_path: Path, missing: str):
    files = {name: content for name, content in members(elsewhere).items() if name != missing}
    with pytest.raises(ModelError, match="missing"):
        import_package(make_zip(tmp_path / "part.zip", files))


def test_weights_that_the_manifest_does_not_name_are_refused(elsewhere: ModelPackage, tmp_path: Path):
    files = {**members(elsewhere), "weights.safetensors": b"other"}
    with pytest.raises(ModelError, match="sha256"):
        import_package(make_zip(tmp_path / "other.zip", files))
    assert nothing_was_imported()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "not.zip"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        import_package(path)
    with pytest.raises(ModelError):
        import_package(tmp_path / "absent.zip")
