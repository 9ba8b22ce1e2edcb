"""A model package as one .zip, out and in. What comes in is read member by member under caps, never extracted."""

from __future__ import annotations

import hashlib
import json
import lzma
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from core.archives import opened_zip
from core.catalog import Catalog
from core.config import MAX_CONFIG_BYTES
from core.errors import ModelError
from core.files import replacing, write_bytes
from core.inference.assemble import appearing
from core.inference.kinds import read_model
from core.inference.manifest import MANIFEST, MAX_NETWORKS
from core.inference.package import (
    CARD,
    EXPERIMENT,
    FILES,
    MAX_WEIGHTS_BYTES,
    WEIGHTS,
    AnyPackage,
    checked_weights,
    weights_file,
)
from core.paths import ensure_home, models_folder

MAX_MEMBERS = 32
MAX_EXPANSION = 50
_FURTHER = tuple(weights_file(place) for place in range(1, MAX_NETWORKS))
ALLOWED = (*FILES, *_FURTHER)


def export_package(package: AnyPackage, path: Path) -> Path:
    """Write the package as a .zip; into a folder, as NAME-VERSION.zip. Returns the file.

    Raises ModelError for damaged weights, IsocenterError where the file cannot be written.
    """
    stem = f"{package.name}-{package.version}"
    if path.is_dir():
        path = path / f"{stem}.zip"
    for name, sha256 in package.weights.items():
        checked_weights(package.folder / name, sha256)
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (MANIFEST, CARD, EXPERIMENT, *package.weights):
            if (package.folder / name).is_file():
                archive.write(package.folder / name, f"{stem}/{name}")
    return path


def import_package(path: Path) -> AnyPackage:
    """Take a package of any task from a .zip or a folder into the user's models and record it.

    Raises ModelError where it is no sound package or one of its name and version is there already.
    """
    files = _from_folder(path) if path.is_dir() else _from_zip(path)
    for name in (MANIFEST, WEIGHTS):
        if name not in files:
            raise ModelError(f"this is no model package: {name} is missing", where=path)
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        write_bytes(Path(folder) / MANIFEST, files[MANIFEST])
        try:
            package = read_model(Path(folder))
        except ModelError as error:
            raise ModelError(error.what, where=path, mend=error.mend) from None
    wanted = package.weights
    for name in sorted(wanted.keys() ^ {name for name in files if _is_weights(name)}):
        what = "is missing" if name in wanted else "is not listed in model.yaml"
        raise ModelError(f"this is no sound model package: {name} {what}", where=path)
    for name, sha256 in wanted.items():
        _check_weights(files[name], sha256, path)
    ensure_home()
    target = models_folder() / f"{package.name}-{package.version}"
    with appearing(target) as part:
        for name, content in files.items():
            write_bytes(part / name, content)
    with Catalog() as catalog:
        run = package.as_dict().get("training", {}).get("run", "")
        catalog.add_model(name=package.name, version=package.version, folder=target, run=run, sha256=wanted[WEIGHTS])
    return read_model(target)


def _from_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for name in ALLOWED:
        file = folder / name
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise ModelError(f"{name} is not a plain file", where=folder)
        if file.exists():
            if file.stat().st_size > _cap(name):
                raise ModelError(f"{name} is too large", where=folder)
            files[name] = file.read_bytes()
    return files


def _from_zip(path: Path) -> dict[str, bytes]:
    try:
        # Trained weights hardly compress: what unfolds to many times the archive is a bomb.
        most = MAX_EXPANSION * path.stat().st_size
        with opened_zip(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise ModelError(
                    f"the archive holds {len(members)} files, a model has at most {len(ALLOWED)}", where=path
                )
            files: dict[str, bytes] = {}
            for member in members:
                if member.is_dir():
                    continue
                name = _plain_name(member, path)
                if name in files:
                    raise ModelError(f"the archive holds {name} twice", where=path)
                files[name] = _bounded(archive, member, min(_cap(name), most), path)
            return files
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError) as error:
        mend = "Give a .zip made by `isocenter models export`."
        raise ModelError(f"not readable as a model archive ({error})", where=path, mend=mend) from None


def _plain_name(member: zipfile.ZipInfo, path: Path) -> str:
    """The member's file name, if it is one of those a package may have, at the top or in one folder."""
    parts = PurePosixPath(member.filename).parts
    if not parts or parts[-1] not in ALLOWED or len(parts) > 2 or parts[0] in ("/", ".."):
        raise ModelError(f"the archive holds {member.filename[:80]!r}, which is no part of a model", where=path)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ModelError(f"the archive holds a link ({member.filename[:80]!r})", where=path)
    return parts[-1]


def _bounded(archive: zipfile.ZipFile, member: zipfile.ZipInfo, cap: int, path: Path) -> bytes:
    """The member's bytes; its stated size is not trusted."""
    with archive.open(member) as stream:
        content = stream.read(cap + 1)
    if len(content) > cap:
        raise ModelError(f"{member.filename[:80]!r} is larger than {cap:,} bytes", where=path)
    return content


def _cap(name: str) -> int:
    return MAX_WEIGHTS_BYTES if _is_weights(name) else MAX_CONFIG_BYTES


def _is_weights(name: str) -> bool:
    return name == WEIGHTS or name in _FURTHER


def _check_weights(content: bytes, sha256: str, path: Path) -> None:
    """The right bytes, and at least a safetensors header; whether they fit the network shows at the first use."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError("the weights are not those that model.yaml names (sha256)", where=path)
    length = int.from_bytes(content[:8], "little")
    try:
        if not 2 <= length <= len(content) - 8:
            raise ValueError("header length")
        json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        raise ModelError("the weights are no safetensors file", where=path) from None
