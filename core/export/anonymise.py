"""DICOM series without patient data: new files in a new folder, cleaned by the confidentiality profile of PS3.15.

The pixels are not looked at. Where they may hold text that names the patient (ultrasound, screenshots) the export is
refused until a person has confirmed it. The face that a head scan shows stays.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import FileDataset, FileMetaDataset

from core import __version__
from core.control import JobControl
from core.errors import IsocenterError, UnreadableScan
from core.export.codestream import CUT_OFF, pixels_alone
from core.export.profile import METHOD, Renaming, cleaned, mark_cleaned
from core.export.sources import image_files, load, transfer_syntax

_FROM_SCANNERS = ("CT", "MR", "NM", "PT")  # whose images hold no text, unless they are screenshots
_OVERLAYS = range(0x6000, 0x6020, 2)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class BurnedInText(IsocenterError):
    """Images whose pixels may name the patient; a person has to look at them and confirm."""


@dataclass(frozen=True)
class Anonymised:
    """What was written. `method` is what the files say of how they were cleaned; `failed`: damaged files, and why."""

    folder: Path
    images: int
    series: int
    method: str = METHOD
    failed: tuple[tuple[Path, str], ...] = ()


def anonymise(
    path: Path, out: Path, *, series: str = "", burned_in_checked: bool = False, control: JobControl | None = None
) -> Anonymised:
    """Write the images at `path` (a DICOM folder, or a file with its series) into the new folder `out`.

    series: only the images of this series. burned_in_checked: a person has looked at the pictures and found no name.
    Files are named by number. Anything but images (reports, segmentations) is left out, and so are damaged files.
    Raises BurnedInText, UnreadableScan where no image is left, or IsocenterError where `out` cannot be written; `out`
    is whole or not there.
    """
    control = control or JobControl()
    control.progress(None, "Looking for images")
    damaged: list[Path] = []
    files = image_files(path, control, series, damaged=damaged)
    failed = [(file, "it may not be read, or its DICOM header is damaged") for file in damaged]
    _refuse_burned_in(files, path, burned_in_checked)
    _refuse_folder(out, path)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    renaming = Renaming()
    folders: dict[str, Path] = {}
    try:
        part.mkdir(parents=True)
        for done, (file, header) in enumerate(files):
            control.progress(done / len(files), f"Cleaning image {done + 1} of {len(files)}")
            folder = folders.setdefault(
                str(header.get("SeriesInstanceUID", "")), part / f"series_{len(folders) + 1:02}"
            )
            folder.mkdir(exist_ok=True)
            target = folder / f"IM_{done + 1:05}.dcm"
            try:
                clean_file(file, target, renaming)
            except UnreadableScan as error:  # one damaged image keeps no other from being cleaned
                target.unlink(missing_ok=True)
                failed.append((file, error.what))
        control.check()
        made = {name: len(list(folder.iterdir())) for name, folder in folders.items()}
        if not any(made.values()):
            raise UnreadableScan(
                "every image is damaged", where=path, mend="Copy or export the series again.",
            )  # fmt: skip
        for name, count in made.items():
            if not count:
                folders[name].rmdir()
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except OSError as error:
        raise IsocenterError(
            f"the folder cannot be written ({error.strerror or error})", where=out, mend="Choose another folder."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    series_made = sum(count > 0 for count in made.values())
    return Anonymised(out, sum(made.values()), series_made, failed=tuple(sorted(failed)))


def clean_file(source: Path, target: Path, renaming: Renaming) -> None:
    """Write one image without patient data. Raises UnreadableScan where the source is damaged."""
    dataset = load(source)
    try:
        made = _clean(dataset, renaming)
        made.save_as(target, enforce_file_format=True)
    except (OSError, UnreadableScan):  # an error of the disk is none of this file
        raise
    except Exception as error:  # pydicom raises nearly anything on damaged values
        raise UnreadableScan(
            f"the DICOM file is damaged ({type(error).__name__})", where=source,
            mend="Copy or export this file again.",
        ) from error  # fmt: skip


def _clean(dataset: Any, renaming: Renaming) -> FileDataset:
    syntax = transfer_syntax(dataset)
    clean = cleaned(dataset, renaming)
    mark_cleaned(clean, renaming.patient(dataset), f"Isocenter {__version__}")
    if not any(name in clean for name in _PIXELS):  # pydicom takes a file that was cut off for one that ends there
        raise UnreadableScan(CUT_OFF, mend="Copy or export this file again.")
    if "PixelData" in clean:
        clean.PixelData = pixels_alone(clean, syntax)
        clean["PixelData"].is_undefined_length = syntax.is_compressed and not syntax.is_deflated
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    return FileDataset(
        None, clean, file_meta=meta, preamble=bytes(128),
        is_implicit_VR=syntax.is_implicit_VR, is_little_endian=syntax.is_little_endian,
    )  # fmt: skip


def may_show_names(header: Any) -> bool:
    """Whether an image may hold text in its pixels: it says so, or is of a kind that often does and denies nothing."""
    said = str(header.get("BurnedInAnnotation", "")).strip().upper()
    if said == "YES" or _has_hidden_overlay(header):
        return True
    if said == "NO":
        return False
    return (
        str(header.get("Modality", "")) not in _FROM_SCANNERS
        or str(header.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE)
        or "ConversionType" in header
        or "SCREEN SAVE" in str(header.get("ImageType", ""))
    )


def _has_hidden_overlay(header: Any) -> bool:
    """Whether an overlay has no data of its own: then it lies in bits of the pixels that the image does not use."""
    return any((group << 16 | 0x0010) in header and (group << 16 | 0x3000) not in header for group in _OVERLAYS)


def _refuse_burned_in(files: list[tuple[Path, Any]], path: Path, checked: bool) -> None:
    doubtful = [(file, header) for file, header in files if may_show_names(header)]
    if not doubtful or checked:
        return
    kinds = ", ".join(sorted({str(header.get("Modality", "")) or "unknown" for _, header in doubtful}))
    count = "1 image" if len(doubtful) == 1 else f"{len(doubtful)} images"
    raise BurnedInText(
        f"{count} ({kinds}) may show the patient's name in the picture itself, where it is not removed", where=path,
        mend="Look at every image; if none shows a name, confirm it (--burned-in-checked).",
    )  # fmt: skip


def _refuse_folder(out: Path, source: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise IsocenterError("the folder is there already", where=out, mend="Name a new folder.")
    folder = (source if source.is_dir() else source.parent).resolve()
    if out.resolve().is_relative_to(folder):
        raise IsocenterError("the folder lies inside the series' own", where=out, mend="Name a folder elsewhere.")
