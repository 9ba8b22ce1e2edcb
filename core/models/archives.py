"""Checkpoints as archives: whether one is whole, before anything of it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

from core.archives import check_list

DAMAGED = "it is cut short or damaged"
AGAIN = "Copy or download it again, or give another file."


def archive_fault(file: Path | IO[bytes], most: int) -> str:
    """What is wrong with a checkpoint's archive, such as "it is cut short or damaged"; "" where nothing is.

    torch neither compares checksums nor bounds what a compressed part grows to, so both are done here. A file that is
    no archive (torch's older format) is not judged. most: bytes of all parts together.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return archive_fault(opened, most)
    begins = file.read(4)
    file.seek(0)
    if not begins:
        return "it is empty"
    if begins != b"PK\3\4":
        return ""
    try:
        check_list(file)
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > most:
                return f"its parts are larger than {most // 1024**3} GB"
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                return "its parts are compressed, as torch never writes them"
            return "" if archive.testzip() is None else DAMAGED
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError, RuntimeError, OverflowError):
        return DAMAGED
    finally:
        file.seek(0)
