"""The sample scan: the ICBM 152 average head that nilearn brings along, written once as a plain NIfTI file."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from core.errors import CatalogError, IsocenterError
from core.files import whole_file
from core.imaging.reader import read
from core.imaging.titles import SAMPLE_NAME, TEMPLATE_FILE
from core.imaging.writer import write_volume
from core.paths import ensure_home, home

_MNI_CODE = 4  # NIfTI's code for the space of the MNI 152 template

NOTE = """\
Sample scan: ICBM 152 2009a nonlinear symmetric average brain, T1-weighted, 1 mm, skull removed.
It is an average of 152 people, in template (MNI 152) space; it is nobody's scan. Research use only.

Origin: McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University,
http://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009 , as carried, skull-stripped and re-scaled, by the Python
package nilearn.
Cite: Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 54 (2011) 313;
Fonov et al., Unbiased nonlinear average age-appropriate brain templates from birth to adulthood, NeuroImage 47 (2009)
S102; Collins et al., ANIMAL+INSECT: improved cortical structure segmentation, IPMI 1999, LNCS 1613, 210.

Licence, as the file COPYING of the template's own archive has it (nilearn itself names none for the template):
Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute,
McGill University. Permission to use, copy, modify, and distribute this software and its documentation for any
purpose and without fee is hereby granted, provided that the above copyright notice appear in all copies. The
authors and McGill University make no representations about the suitability of this software for any purpose.
It is provided "as is" without express or implied warranty. The authors are not responsible for any data loss,
equipment damage, property loss, or injury to subjects or patients resulting from the use or misuse of this
software package.
"""


def sample_scan() -> Path:
    """The sample's file under the home folder; written at the first call, then only looked up.

    Raises CatalogError where the home folder cannot be written, IsocenterError where nilearn is not installed.
    """
    path = home() / "samples" / f"{SAMPLE_NAME}.nii"  # uncompressed: it opens at once
    if path.is_file():
        return path
    template = template_file(TEMPLATE_FILE)
    folder = ensure_home() / "samples"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CatalogError(f"the folder cannot be made ({error.strerror})", where=folder) from error
    volume = read(template)
    in_template_space = replace(volume, source=replace(volume.source, form_codes=(_MNI_CODE, _MNI_CODE)))
    with whole_file(folder / f"{SAMPLE_NAME}.txt") as note:
        note.write(NOTE.encode())
    write_volume(path, in_template_space, description="ICBM 152 2009a, (C) Collins, McGill; free with notice")
    return path


def template_file(name: str) -> Path:
    """A file of the template inside the nilearn package, found without importing it."""
    spec = importlib.util.find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise IsocenterError(
            "the package nilearn, which carries the sample scan, is not installed",
            mend="Install it: pip install nilearn.",
        )
    path = Path(spec.origin).parent / "datasets" / "data" / name
    if not path.is_file():
        raise IsocenterError(
            "the installed nilearn does not carry the template", where=path, mend="Install nilearn 0.14."
        )
    return path
