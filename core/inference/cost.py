"""What an ensemble and test-time mirroring cost: how often the networks are asked for one answer."""

from __future__ import annotations

from core.imaging.volume import Finding
from core.inference.mirroring import EACH, SHARED, Mirror, mirrors
from core.inference.package import ModelPackage


def members(package: ModelPackage) -> int:
    """How many networks are averaged."""
    return 1 + len(package.manifest.members or ())


def mirrorings(package: ModelPackage) -> int:
    """How many mirrorings of a scan are averaged: every combination of the axes that training mirrored."""
    return len(mirrors(package.manifest.mirror_axes))


def at_most(package: ModelPackage) -> int:
    """How many mirrorings a window of a large scan is asked in where the structures are."""
    return min(1 + EACH, mirrorings(package))


def sentence(package: ModelPackage, mirror: Mirror = None) -> str:
    """What the choice costs in time, or "" where it is one pass of one network.

    mirror: None mirrors small scans only, so nothing is said of it.
    """
    if mirror == SHARED and mirrorings(package) > 1:
        passes = members(package) * at_most(package)
        text = f"up to {at_most(package)} mirrorings where the structures are"
        many = f"{members(package)} networks and " if members(package) > 1 else ""
        return f"{many}{text}: at most {passes} × the time of one pass."
    parts = []
    if members(package) > 1:
        parts.append(f"{members(package)} networks")
    if mirror and mirrorings(package) > 1:
        parts.append(f"{mirrorings(package)} mirrorings")
    passes = members(package) * (mirrorings(package) if mirror else 1)
    return f"{' and '.join(parts)}: {passes} × the time of one pass." if parts else ""


def findings(package: ModelPackage, mirror: Mirror) -> list[Finding]:
    """What of a prediction is not as the model's accuracy was measured, for its record."""
    found = []
    if package.left_out:
        used = members(package)
        found.append(
            Finding(
                "fewer_networks", "info",
                f"Predicted with {used} of the model's {used + package.left_out} networks.",
            )
        )  # fmt: skip
    if mirror is not None and mirrorings(package) > 1:
        found.append(Finding("mirroring", "info", _mirrored(package, mirror)))
    return found


def _mirrored(package: ModelPackage, mirror: Mirror) -> str:
    every, few = mirrorings(package), at_most(package)
    if mirror is False:
        return "Predicted without mirroring."
    if mirror != SHARED:
        return f"Averaged over {every} mirrorings."
    small = f"; a small scan over all {every}" if few < every else ""
    return f"Averaged over up to {few} mirrorings where the structures are{small}."
