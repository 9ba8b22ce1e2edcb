"""Whether two scans share their millimetres, so that a point of one is the same point of the patient in the other."""

from __future__ import annotations

import numpy as np

from core.imaging.volume import Volume

ALIGNED = 2  # NIfTI's first code for coordinates aligned to something else: 2 another scan, 3 Talairach, 4 MNI


def same_space(one: Volume, other: Volume) -> bool:
    """True for DICOM series of one frame of reference, NIfTI in one template's space, and scans on one grid."""
    if one.source.frame_of_reference and other.source.frame_of_reference:
        return one.source.frame_of_reference == other.source.frame_of_reference
    code = max(one.source.form_codes)
    if code > ALIGNED and code == max(other.source.form_codes):
        return True
    return one.grid_shape == other.grid_shape and np.allclose(one.affine_ras, other.affine_ras, atol=1e-3)
