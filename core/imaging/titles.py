"""What a scan's file is called: in the names of what is written, and on the screen."""

from __future__ import annotations

from pathlib import Path

from core.paths import home

# What a file that holds, or leads to, a whole volume ends with; the .img of a pair is opened by its .hdr.
VOLUME_SUFFIXES = (".nii.gz", ".nii", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")
SUFFIXES = (*VOLUME_SUFFIXES, ".img", ".dcm", ".ima")
SAMPLE_NAME = "icbm152_2009_t1"
SAMPLE_TITLE = "MNI152 T1 (sample)"
TEMPLATE_FILE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"  # as nilearn names it
TEMPLATE_TITLE = "ICBM 152 template"


def stem_of(path: Path) -> str:
    """The file's name without its scan suffixes.

    >>> stem_of(Path("scans/head.nii.gz"))
    'head'
    """
    name = path.name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def is_volume_name(name: str) -> bool:
    """Whether a file is to be listed as a volume, by its name.

    Names that begin with a dot are not: macOS's resource forks look like scans and are none.
    """
    return name.lower().endswith(VOLUME_SUFFIXES) and not name.startswith(".")


def file_title(path: Path) -> str:
    """As `title_of`, with the suffix: for lists of files."""
    return SAMPLE_TITLE if title_of(path) == SAMPLE_TITLE else path.name


def title_of(path: Path) -> str:
    """How a scan's file is called on the screen: the sample by its title, any other by its name."""
    if path.name == TEMPLATE_FILE:
        return TEMPLATE_TITLE
    stem = stem_of(path)
    return SAMPLE_TITLE if stem == SAMPLE_NAME and path.parent == home() / "samples" else stem
