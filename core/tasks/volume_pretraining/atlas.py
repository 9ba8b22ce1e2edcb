"""An atlas of scans without labels: their mean after alignment, and where in it each voxel of a scan lies.

Scans of one kind show the same anatomy in about the same frame. Each is bent smoothly onto their running mean (as the
unbiased templates of Joshi 2004, doi 10.1016/j.neuroimage.2004.07.068), coarse to fine, by Adam on the correlation.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.control import JobControl
from core.data.cache import CaseCache
from core.errors import ModelError
from core.files import replacing

Array = np.ndarray[Any, Any]

FILE = "atlas.npz"  # in a run's folder
MOST_SCANS = 200  # that the mean is made of; others are aligned to it
MOST_VOXELS = 80_000  # of the mean
AT_ONCE = 600_000  # voxels that are bent in one step: about a twentieth of a second
ROUND = 5  # steps between two means


@dataclass(frozen=True)
class Stage:
    """One step from coarse to fine: the pictures' coarseness, and the voxels between two nodes of the displacement."""

    coarser: int
    apart: int
    stiffness: float
    rounds: int
    rate: float


STAGES = (Stage(2, 8, 2.0, 4, 0.01), Stage(2, 4, 0.4, 4, 0.01), Stage(1, 3, 0.2, 3, 0.005))


@dataclass(frozen=True)
class Atlas:
    """mean: (channels, x, y, z). fields: of each scan by id, as `aligned` gives them.

    Places are relative to a scan's or the mean's extent, -1 to 1 along each axis.
    """

    mean: Array
    fields: dict[str, Array] = field(default_factory=dict)

    def places(self, id: str, along: Sequence[Array]) -> Array:
        """Where in the mean each voxel of a grid in a scan lies, (3, x, y, z); `along`: its places along each axis."""
        axes = [torch.from_numpy(np.asarray(one, np.float32)) for one in along]
        where: Array = placed(torch.from_numpy(self.fields[id])[None], axes)[0].numpy()
        return where

    def save(self, path: Path) -> None:
        with replacing(path) as part, open(part, "wb") as file:
            np.savez(
                file, mean=self.mean, ids=np.array(list(self.fields)), fields=np.stack(list(self.fields.values()))
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Atlas:
        """Raises ModelError where the file is torn."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                fields = dict(zip(kept["ids"].tolist(), kept["fields"], strict=True))
                return cls(kept["mean"], fields)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"the atlas is not readable ({error})", where=path, mend="Start the run anew.") from None

    def with_scans(self, cache: CaseCache, ids: Iterable[str], control: JobControl) -> Atlas:
        """This with the fields of further scans of a cache."""
        new = [id for id in ids if id not in self.fields]
        mean, found = torch.from_numpy(self.mean), dict[str, Array]()
        for part in _parts(len(new), self.mean.size):
            control.progress(part.start / len(new), f"Aligning {new[part.start]} ({part.start + 1} of {len(new)})")
            images = torch.stack([seen(cache, id, self.mean.shape[1:]) for id in new[part]])
            found |= dict(zip(new[part], aligned(mean, images, control).numpy(), strict=True))
        return Atlas(self.mean, self.fields | found)


def make(cache: CaseCache, ids: Sequence[str], seed: int, control: JobControl) -> Atlas:
    """The atlas of scans of a cache; none of them has a field yet."""
    chosen = sorted(np.random.default_rng(seed).permutation(len(ids))[:MOST_SCANS].tolist())
    shape = grid([cache.load(ids[index])[0].shape[1:] for index in chosen])
    images = []
    for index in chosen:
        control.check()
        images.append(seen(cache, ids[index], shape))
    return Atlas(mean_of(torch.stack(images), control).numpy())


def grid(shapes: Sequence[Sequence[int]]) -> tuple[int, int, int]:
    """The mean's: the median of the scans' along each axis, coarser where it would have too many voxels.

    >>> grid([(30, 40, 1), (32, 44, 1), (50, 44, 1)]), grid([(400, 400, 100)])
    ((32, 44, 1), (68, 68, 17))
    """
    sides = np.median(np.array(shapes), axis=0)
    solid = sides > 1
    factor = min((MOST_VOXELS / sides.prod()) ** (1 / max(solid.sum(), 1)), 1.0)
    x, y, z = (max(int(side * factor), 1) if thick else 1 for side, thick in zip(sides, solid, strict=True))
    return x, y, z


def seen(cache: CaseCache, id: str, shape: Sequence[int]) -> Tensor:
    """A scan on the mean's grid, over its whole extent, each channel standardised."""
    image = torch.from_numpy(np.array(cache.load(id)[0]))[None]
    coarse = any(n >= 2 * side for n, side in zip(image.shape[2:], shape, strict=True))
    image = functional.interpolate(image, tuple(shape), mode="area" if coarse else "trilinear")[0]
    flat = image.flatten(1)
    return (image - flat.mean(1).view(-1, 1, 1, 1)) / flat.std(1).clamp(min=1e-6).view(-1, 1, 1, 1)


def mean_of(images: Tensor, control: JobControl) -> Tensor:
    """(scans, channels, x, y, z) -> their mean (channels, x, y, z) once each is bent onto it."""
    fields = still(images, STAGES[0])
    total, done = sum(stage.rounds for stage in STAGES), 0
    parts = list(_parts(len(images), images[0].numel()))
    for stage in STAGES:
        fields, pictures = finer(fields, images, stage), coarsened(images, stage.coarser)
        searches = [Search(fields[part], stage) for part in parts]
        for _ in range(stage.rounds):
            control.progress(done / total, "Making the mean scan")
            mean = _mean(pictures, fields, parts, control)
            for search, part in zip(searches, parts, strict=True):
                search.go(mean[None], pictures[part], control)
            fields = torch.cat([search.field.detach() for search in searches])
            fields -= fields.mean(0, keepdim=True)  # so that the mean lies in the middle of the scans
            for search, part in zip(searches, parts, strict=True):
                search.field.data.copy_(fields[part])
            done += 1
    return _mean(images, fields, parts, control)


def aligned(mean: Tensor, images: Tensor, control: JobControl) -> Tensor:
    """The displacements (scans, 3, *nodes) that give each voxel of the scans its place in the mean."""
    fields = still(images, STAGES[0])
    for stage in STAGES:
        search = Search(finer(fields, images, stage), stage)
        pictures, there = coarsened(images, stage.coarser), coarsened(mean[None], stage.coarser)
        for _ in range(stage.rounds):
            search.go(pictures, there.expand(len(images), *there.shape[1:]), control)
        fields = search.field.detach()
    return fields


class Search:
    """The displacements of some scans, made better step by step."""

    def __init__(self, fields: Tensor, stage: Stage) -> None:
        self.field = fields.clone().requires_grad_(True)
        self.optimizer = torch.optim.Adam([self.field], lr=stage.rate)
        self.stiffness = stage.stiffness
        # Nothing moves along an axis of a single voxel.
        self.free = torch.tensor([float(n > 1) for n in fields.shape[2:]]).view(1, 3, 1, 1, 1)

    def go(self, fixed: Tensor, moving: Tensor, control: JobControl) -> None:
        """Some steps of bending `moving` onto `fixed`."""
        for _ in range(ROUND):
            control.check()
            with torch.enable_grad():
                bent = taken(moving, self.field * self.free)
                away = 1 - correlation(bent, fixed.expand_as(bent)).mean(1)
                (away + self.stiffness * roughness(self.field)).sum().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Of (B, channels, x, y, z) pictures: (B, channels)."""
    a, b = (picture.flatten(2) - picture.flatten(2).mean(2, keepdim=True) for picture in (one, other))
    return (a * b).sum(2) / (a.norm(dim=2) * b.norm(dim=2)).clamp(min=1e-6)


def roughness(fields: Tensor) -> Tensor:
    """The mean square slope of displacements (B, 3, *nodes): (B,)."""
    slopes = [
        (fields.diff(dim=axis) * (fields.shape[axis] - 1) / 2).square().mean((1, 2, 3, 4))
        for axis in (2, 3, 4) if fields.shape[axis] > 1
    ]  # fmt: skip
    return torch.stack(slopes).sum(0)


def taken(pictures: Tensor, fields: Tensor) -> Tensor:
    """(B, channels, x, y, z) sampled where the displacements send each voxel; beyond the edge its value goes on."""
    where = placed(fields, [centres(n) for n in pictures.shape[2:]])
    backwards = where.flip(1).permute(0, 2, 3, 4, 1)  # grid_sample names the last axis first
    return functional.grid_sample(pictures, backwards, "bilinear", "border", align_corners=False)


def placed(fields: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Places of a grid, moved by displacements (B, 3, *nodes): (B, 3, x, y, z). The outer nodes lie on the edges."""
    x, y, z = (between(places, n) for places, n in zip(along, fields.shape[2:], strict=True))
    moved = torch.einsum("bcijk,xi,yj,zk->bcxyz", fields, x, y, z)
    return moved + torch.stack(torch.meshgrid(*along, indexing="ij"))


def between(places: Tensor, nodes: int) -> Tensor:
    """(places, nodes): the share of each of evenly spaced nodes in a linear interpolation.

    >>> between(torch.tensor([-1.0, 0.5, 2.0]), 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    """
    if nodes == 1:
        return torch.ones(len(places), 1, device=places.device)
    steps = (places.clamp(-1, 1) + 1) / 2 * (nodes - 1)
    return (1 - (steps[:, None] - torch.arange(nodes, device=places.device)).abs()).clamp(min=0)


def centres(count: int) -> Tensor:
    """The places of the voxels along an axis."""
    return (torch.arange(count) + 0.5) / count * 2 - 1


def still(images: Tensor, stage: Stage) -> Tensor:
    """No displacements."""
    return torch.zeros(len(images), 3, *nodes(images.shape[2:], stage))


def finer(fields: Tensor, images: Tensor, stage: Stage) -> Tensor:
    """Displacements on a stage's nodes."""
    wanted = nodes(images.shape[2:], stage)
    x, y, z = (between(torch.linspace(-1, 1, n), had) for n, had in zip(wanted, fields.shape[2:], strict=True))
    return torch.einsum("bcijk,xi,yj,zk->bcxyz", fields, x, y, z)


def nodes(shape: Sequence[int], stage: Stage) -> tuple[int, ...]:
    return tuple(1 if n == 1 else max(round(n / stage.apart) + 1, 2) for n in shape)


def coarsened(images: Tensor, factor: int) -> Tensor:
    size = [min(factor, n) for n in images.shape[2:]]
    return functional.avg_pool3d(images, size) if factor > 1 else images


def _mean(pictures: Tensor, fields: Tensor, parts: Iterable[slice], control: JobControl) -> Tensor:
    total = torch.zeros_like(pictures[0])
    for part in parts:
        control.check()
        total += taken(pictures[part], fields[part]).sum(0)
    return total / len(pictures)


def _parts(count: int, size: int) -> Iterator[slice]:
    """Slices of `count` pictures of so many values that are bent at once."""
    step = max(AT_ONCE // size, 1)
    return (slice(begin, min(begin + step, count)) for begin in range(0, count, step))
