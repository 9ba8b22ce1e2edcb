"""Stays in memory: every measurement as one event, sorted by stay and time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.data.stays.known import STATICS
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]
FEWEST_KNOWN = 3  # measurements by which a stay is known again


@dataclass(frozen=True, eq=False)
class Stays:
    """Measurements of some stays.

    ids, sources: of each stay, its name and the archive or folder it came from.
    stay, hours, variable, value: (events,) number of the stay, hours since its beginning, place in `variables`, and
    the value; sorted by stay, then time.
    """

    ids: list[str]
    sources: list[str]
    variables: list[str]
    stay: Array
    hours: Array
    variable: Array
    value: Array
    findings: tuple[Finding, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: Array) -> Stays:
        """Some of the stays, by number, in that order."""
        chosen = np.asarray(chosen, np.int64)
        place = np.full(len(self), -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(place[self.stay] >= 0)
        kept = kept[np.argsort(place[self.stay[kept]], kind="stable")]
        return replace(
            self, ids=[self.ids[n] for n in chosen], sources=[self.sources[n] for n in chosen],
            stay=place[self.stay[kept]].astype(np.int32), hours=self.hours[kept], variable=self.variable[kept],
            value=self.value[kept],
        )  # fmt: skip

    def events(self, kept: Array, **changed: Any) -> Stays:
        """The same stays with only some of the events, (events,) bool."""
        return replace(
            self, stay=self.stay[kept], hours=self.hours[kept], variable=self.variable[kept], value=self.value[kept],
            **changed,
        )  # fmt: skip

    def until(self, hours: float) -> Stays:
        """What was known by then."""
        return self.events(self.hours < hours)

    def counts(self) -> Array:
        """Measurements of each stay, (stays,)."""
        return np.bincount(self.stay, minlength=len(self))

    def fingerprints(self) -> Array:
        """(stays,) uint64: equal for stays with the same measurements, whatever their name, file or order.

        0 for a stay with fewer than three beside the facts of the patient: other patients may have the same. Each event
        is mixed by itself and the results are summed, so that no loop over stays is needed.
        """
        names = np.array([_hash(name) for name in self.variables], np.uint64)
        minutes = np.rint(self.hours.astype(np.float64) * 60).astype(np.int64).astype(np.uint64)
        bits = np.ascontiguousarray(self.value, np.float32).view(np.uint32).astype(np.uint64)
        mixed = _mix(names[self.variable] ^ _mix(minutes ^ _mix(bits))) if len(bits) else np.zeros(0, np.uint64)
        found = np.zeros(len(self), np.uint64)
        np.add.at(found, self.stay, mixed)
        series = np.array([name not in STATICS for name in self.variables] or [False])[self.variable]
        found[np.bincount(self.stay[series], minlength=len(self)) < FEWEST_KNOWN] = 0
        return found


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _mix(x: Array) -> Array:
    """The finalizer of splitmix64, which spreads every bit over all."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def sorted_stays(
    ids: Sequence[str], sources: Sequence[str], variables: Sequence[str], stay: Array, hours: Array, variable: Array,
    value: Array, findings: Sequence[Finding] = (),
) -> Stays:  # fmt: skip
    """Stays from events in any order."""
    order = np.lexsort((hours, stay))
    return Stays(
        list(ids), list(sources), list(variables), np.asarray(stay[order], np.int32),
        np.asarray(hours[order], np.float32), np.asarray(variable[order], np.int32),
        np.asarray(value[order], np.float32), tuple(findings),
    )  # fmt: skip


def joined(parts: Sequence[Stays]) -> Stays:
    """Several parts as one; the same variable of two parts is one."""
    if len(parts) == 1:
        return parts[0]
    variables = list(dict.fromkeys(name for part in parts for name in part.variables))
    place = {name: n for n, name in enumerate(variables)}
    first = np.cumsum([0, *(len(part) for part in parts)])
    maps = [np.array([place[name] for name in part.variables], np.int32) for part in parts]
    return Stays(
        [id for part in parts for id in part.ids], [source for part in parts for source in part.sources], variables,
        np.concatenate([part.stay + at for part, at in zip(parts, first[:-1], strict=True)]).astype(np.int32),
        np.concatenate([part.hours for part in parts]),
        np.concatenate([map_[part.variable] for part, map_ in zip(parts, maps, strict=True)]).astype(np.int32),
        np.concatenate([part.value for part in parts]),
        tuple(dict.fromkeys(finding for part in parts for finding in part.findings)),
    )  # fmt: skip
