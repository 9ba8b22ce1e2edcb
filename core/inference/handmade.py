"""Results of people: a label map that someone drew or corrected is not replaced by a prediction unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.catalog import Catalog
from core.errors import IsocenterError
from core.files import sha256
from core.imaging.writer import OWED_TEXT


def refuse_handmade(output: Path, catalog: Catalog) -> None:
    """Raise IsocenterError where a prediction would replace a label map that is not as this program wrote it.

    It is not where its header lacks the program's mark, or where the catalog knows the file with another content.
    What cannot be read as NIfTI may be replaced: it is no work of anyone's.
    """
    if not output.is_file() or (header := _header(output)) is None:
        return
    written = catalog.hashes_of(output)
    if not _is_marked(header):
        what = "there is a label map of this name that was not predicted here"
    elif written and sha256(output) not in written:
        what = "the label map was changed since it was predicted"
    else:
        return
    raise IsocenterError(
        what, where=output, mend="Move it away, or choose another folder; --overwrite on the command line replaces it."
    )


def _header(path: Path) -> Any:
    import nibabel as nib  # slow to import

    try:
        return nib.load(path).header
    except Exception:  # whatever nibabel raises at what is no image
        return None


def _is_marked(header: Any) -> bool:
    return OWED_TEXT in bytes(header["descrip"]).decode("latin-1")
