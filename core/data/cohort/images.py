"""What is read of each image of a cohort: its content, its place, and whether it looks like an MRI or a PET.

An image that lies in template space is told by its tissue: in a T1-weighted MRI white matter is brighter than grey, in
a PET of glucose it is the other way, and in one of amyloid it may be either. Any other is told by what its file says,
and by its sharpness: a PET is blurred over 4 mm and more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.errors import IsocenterError, UnreadableScan
from core.files import write_text
from core.imaging.geometry import index_to_ras_mm
from core.imaging.mni import Grid, tissues
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.paths import ensure_home, home

Array = np.ndarray[Any, Any]
Looks = Literal["mri", "pet", "unknown"]

# Rises whenever an image is looked at for more than before: what was kept until then is read again.
VERSION = 1
MNI_CODE = 4  # NIfTI's code for the space of the MNI 152 template
_CACHE_BYTES = 200_000_000
_COARSE = Grid((24, 31, 25), (6.0, 6.0, 6.0))
# Contrast of white to grey matter, in deviations of the brain's values. Simulated: T1 0.15 to 1.9, PET -2.0 to -1.3;
# BrainWeb 06: T1 1.6, PET -1.7.
CONTRAST = 0.15


@dataclass(frozen=True)
class ImageFacts:
    """What the check keeps of an image.

    content: sha256 of its voxels. shape: voxels. centre_mm: RAS, of what is brighter than the background. contrast: of
    white to grey matter in template space, NaN elsewhere. sharpness: share of its variation that a blur of 3 mm takes.
    """

    content: str
    shape: tuple[int, ...]
    affine_ras: tuple[float, ...]
    centre_mm: tuple[float, float, float]
    in_template_space: bool
    contrast: float
    sharpness: float
    modality: str

    @property
    def looks(self) -> Looks:
        if self.modality in ("MR", "PT"):
            return "mri" if self.modality == "MR" else "pet"
        if abs(self.contrast) >= CONTRAST:
            return "mri" if self.contrast > 0 else "pet"
        return "unknown"


def facts_of(volume: Volume) -> ImageFacts:
    """Look at an image. Raises UnreadableScan where it is empty or holds no numbers."""
    values = np.nan_to_num(volume.values(), nan=0.0, posinf=0.0, neginf=0.0)
    if min(values.shape) < 4 or float(values.max()) <= float(values.min()):
        raise UnreadableScan("the image is empty, or a single slice", where=volume.source.path)
    step = tuple(max(n // 64, 1) for n in values.shape)
    few = values[:: step[0], :: step[1], :: step[2]]
    bright = few > float(np.percentile(few, 5)) + 0.3 * float(np.percentile(few, 99) - np.percentile(few, 5))
    weights = np.argwhere(bright).mean(axis=0) * step if bright.any() else np.array(values.shape) / 2
    centre = index_to_ras_mm(volume.affine_ras, weights)
    placed = in_template_space(volume)
    return ImageFacts(
        content=content_of(volume), shape=volume.shape,
        affine_ras=tuple(round(float(v), 4) for v in volume.affine_ras[:3].ravel()),
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])), in_template_space=placed,
        contrast=_contrast(values, volume.affine_ras) if placed else float("nan"),
        sharpness=_sharpness(values, volume.spacing_mm), modality=volume.source.modality,
    )  # fmt: skip


def in_template_space(volume: Volume) -> bool:
    """Whether the file itself says that it lies in MNI space."""
    return MNI_CODE in volume.source.form_codes


def content_of(volume: Volume) -> str:
    """The sha256 of the voxels and their shape, whatever the header says and however the file is packed."""
    found = hashlib.sha256(repr((volume.shape, volume.voxels.dtype.str)).encode())
    found.update(np.ascontiguousarray(volume.voxels).tobytes())
    return found.hexdigest()


def _contrast(values: Array, affine_ras: Array) -> float:
    """White minus grey matter, in deviations of the brain's values, by the template's tissues on a coarse grid."""
    known = tissues(_COARSE)
    to_index = np.linalg.inv(affine_ras) @ _COARSE.affine_ras
    seen = ndimage.affine_transform(
        values, to_index[:3, :3], to_index[:3, 3], output_shape=_COARSE.shape, order=1, cval=0.0
    )
    # Deep inside only, where neither the edge of the brain nor a little atrophy matters.
    inside = (known.brain > 0.98) & (known.fluid < 0.15) & (seen > 0)
    if inside.sum() < 100:
        return float("nan")
    share = known.white[inside] - known.grey[inside]
    spread = float(seen[inside].std())
    white, grey = seen[inside][share > 0.3], seen[inside][share < -0.3]
    return float((np.median(white) - np.median(grey)) / spread) if spread > 0 and min(len(white), len(grey)) else 0.0


def _sharpness(values: Array, spacing_mm: tuple[float, float, float]) -> float:
    """The share of the variation in a block through the middle that a blur of 3 mm takes away."""
    middle = tuple(slice(max(n // 2 - 32, 0), n // 2 + 32) for n in values.shape)
    block = values[middle]
    smooth = ndimage.gaussian_filter(block, [3.0 / s for s in spacing_mm], truncate=3)
    spread = float(block.std())
    return float((block - smooth).std() / spread) if spread > 0 else 0.0


class ImageCache:
    """What was read of images, by file, in the home folder; known while size and time stay the same.

    Nothing here fails a check: what cannot be read or written is simply not kept.
    """

    def __init__(self, cohort: Path) -> None:
        name = hashlib.sha256(str(cohort.absolute()).encode()).hexdigest()[:16]
        self.path = home() / "cache" / "cohorts" / f"{name}.json"
        self._kept = self._read()
        self._changed = False

    def look(self, image: Path, control: JobControl) -> ImageFacts:
        """The facts of an image, read where they are not known. Raises UnreadableScan."""
        identity = _identity(image)
        kept = self._kept.get(str(image))
        if identity is not None and kept is not None and kept.get("file") == identity:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return _from_tree(kept["facts"])
        facts = facts_of(read(image, control))
        if identity is not None:
            self._kept[str(image)] = {"file": identity, "facts": asdict(facts)}
            self._changed = True
        return facts

    def save(self) -> None:
        if self._changed:
            with contextlib.suppress(IsocenterError, OSError):
                ensure_home()
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_text(self.path, json.dumps({"version": VERSION, "images": self._kept}))

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            if self.path.stat().st_size <= _CACHE_BYTES:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                if content["version"] == VERSION and isinstance(content["images"], dict):
                    return dict(content["images"])
        return {}


def _from_tree(tree: Mapping[str, Any]) -> ImageFacts:
    x, y, z = (float(v) for v in tree["centre_mm"])
    return ImageFacts(
        content=str(tree["content"]), shape=tuple(int(n) for n in tree["shape"]),
        affine_ras=tuple(float(v) for v in tree["affine_ras"]), centre_mm=(x, y, z),
        in_template_space=bool(tree["in_template_space"]), contrast=float(tree["contrast"]),
        sharpness=float(tree["sharpness"]), modality=str(tree["modality"]),
    )  # fmt: skip


def _identity(image: Path) -> list[Any] | None:
    """Size and time of a file; None for a folder, whose files may change unseen."""
    if not image.is_file():
        return None
    with contextlib.suppress(OSError):
        status = image.stat()
        return [status.st_size, status.st_mtime_ns]
    return None
