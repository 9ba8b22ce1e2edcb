"""What a data set is like, as plain numbers: the ground of every choice that the planner makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.data.case import CaseFacts, CheckedCases
from core.data.plan import Intensities

# Air is about -1000 HU; scanners write down to -1024, or -3024 outside of the field of view.
AIR_HU = (-3100.0, -850.0)


@dataclass(frozen=True)
class ClassFacts:
    """One structure over all cases: how many have it, its median volume, and its part of all voxels."""

    name: str
    cases: int
    volume_ml: float
    share: float


@dataclass(frozen=True)
class Fingerprint:
    """Spacings (mm) and shapes (voxels) of every case on canonical axes, intensities of labelled voxels, classes.

    `intensities` is None where nothing is labelled, or all labelled voxels are alike.
    """

    cases: int
    modality: str
    spacings_mm: tuple[tuple[float, float, float], ...]
    shapes: tuple[tuple[int, int, int], ...]
    intensities: Intensities | None
    classes: tuple[ClassFacts, ...]

    @property
    def is_ct(self) -> bool:
        return self.modality.upper() == "CT"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and YAML hold them."""
        scale = self.intensities.model_dump() if self.intensities is not None else None
        return {**asdict(self), "intensities": scale}


def fingerprint(dataset: CheckedCases) -> Fingerprint:
    """The fingerprint of a checked data set; nothing is read again, the check has taken the samples."""
    facts = list(dataset.facts.values())
    return Fingerprint(
        cases=len(facts),
        modality=dataset.modality or ("CT" if _looks_like_ct(facts) else ""),
        spacings_mm=tuple(fact.spacing_mm for fact in facts),
        shapes=tuple(fact.shape for fact in facts),
        intensities=_intensities(facts),
        classes=tuple(_class(facts, label.value, label.name) for label in dataset.labels),
    )


def _looks_like_ct(facts: list[CaseFacts]) -> bool:
    """Values in Hounsfield units give themselves away by the air around a patient."""
    with_air = sum(AIR_HU[0] <= fact.values[0] <= AIR_HU[1] for fact in facts)
    return bool(facts) and with_air >= 0.8 * len(facts)


def _intensities(facts: list[CaseFacts]) -> Intensities | None:
    """Over equally many labelled voxels of each case, so that one large structure does not rule."""
    sampled = np.array([value for fact in facts for value in fact.foreground])
    if sampled.size == 0:
        return None
    low, high = (float(np.percentile(sampled, p)) for p in (0.5, 99.5))
    inside = np.clip(sampled, low, high)
    std = float(inside.std())
    if std < 1e-6 * max(abs(high), 1.0):
        return None
    return Intensities(low=round(low, 3), high=round(high, 3), mean=round(float(inside.mean()), 3), std=round(std, 3))


def _class(facts: list[CaseFacts], value: int, name: str) -> ClassFacts:
    having = [fact for fact in facts if value in fact.voxels]
    millilitres = [fact.voxels[value] * float(np.prod(fact.spacing_mm)) / 1000 for fact in having]
    voxels = sum(int(np.prod(fact.shape)) for fact in facts)
    labelled = sum(fact.voxels[value] for fact in having)
    volume = float(np.median(millilitres)) if having else 0.0
    return ClassFacts(name, len(having), round(volume, 4), round(labelled / max(voxels, 1), 8))
