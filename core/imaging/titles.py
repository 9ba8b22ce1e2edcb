"""What a scan's file is called: in the names of what is written, and on the screen."""

from __future__ import annotations

from pathlib import Path

from core.paths import home

SUFFIXES = (".nii.gz", ".nii", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
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


def file_title(path: Path) -> str:
    """As `title_of`, with the suffix: for lists of files."""
    return SAMPLE_TITLE if title_of(path) == SAMPLE_TITLE else path.name


def title_of(path: Path) -> str:
    """How a scan's file is called on the screen: the sample by its title, any other by its name."""
    if path.name == TEMPLATE_FILE:
        return TEMPLATE_TITLE
    stem = stem_of(path)
    return SAMPLE_TITLE if stem == SAMPLE_NAME and path.parent == home() / "samples" else stem
