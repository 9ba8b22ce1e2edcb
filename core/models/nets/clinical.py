"""What clinicians derive from several measurements: combined pressures, ratios, changes, and the points of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from core.models.nets.stays import StayBatch

DAY, HALF, QUARTER = 24.0, 12.0, 6.0  # hours
CHANGING = (
    "GCS", "BUN", "Creatinine", "Platelets", "Lactate", "HCO3", "HR", "WBC", "Temp", "FiO2", "Bilirubin", "Na",
)  # fmt: skip
# Organ points (SOFA; Vincent et al., Intensive Care Med 1996;22:707), but for drugs and urine, which a grid does not
# hold as sums: one for each limit that the worst value of the day lies below, or at or above.
SOFA_BELOW = {"Platelets": (150.0, 100.0, 50.0, 20.0), "GCS": (15.0, 13.0, 10.0, 6.0)}
SOFA_ABOVE = {"Bilirubin": (1.2, 2.0, 6.0, 12.0), "Creatinine": (1.2, 2.0, 3.5, 5.0)}
SOFA_OXYGEN, SOFA_PRESSURE = (400.0, 300.0, 200.0, 100.0), (70.0, 60.0)
# Points of the simplified acute physiology score (SAPS; Le Gall et al., Crit Care Med 1984;12:975) between limits.
SAPS: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "HR": ((40, 55, 70, 110, 140, 180), (4, 3, 2, 0, 2, 3, 4)),
    "Temp": ((30, 32, 34, 36, 38.5, 39, 41), (4, 3, 2, 1, 0, 1, 3, 4)),
    "HCT": ((20, 30, 46, 50, 60), (4, 2, 0, 1, 2, 4)),
    "WBC": ((1, 3, 15, 20, 40), (4, 2, 0, 1, 2, 4)),
    "Glucose": ((29, 50, 70, 250, 500, 800), (4, 3, 2, 0, 1, 3, 4)),
    "K": ((2.5, 3, 3.5, 5.5, 6, 7), (4, 2, 1, 0, 1, 3, 4)),
    "Na": ((110, 120, 130, 151, 156, 161, 180), (4, 3, 2, 0, 1, 2, 3, 4)),
    "HCO3": ((5, 10, 20, 30, 40), (4, 3, 1, 0, 1, 3)),
    "BUN": ((10, 21, 81, 101, 154), (1, 0, 1, 2, 3, 4)),
    "GCS": ((4, 7, 10, 13), (4, 3, 2, 1, 0)),
}
SAPS_SYSTOLIC, SAPS_AGE = ((55, 80, 150, 190), (4, 2, 0, 2, 4)), ((46, 56, 66, 76), (0, 1, 2, 3, 4))
# What stands for a value that was not measured: a usual one.
USUAL = {"systolic": 120.0, "mean": 85.0, "shock": 0.7, "oxygen": 350.0, "kidney": 15.0, "gap": 115.0, "pulse": 60.0}
USUAL_URINE = 1000.0


class _Window(NamedTuple):
    """Each variable's mean, least and most in part of a stay, (B, variables + 1), NaN where nothing was measured."""

    mean: Tensor
    least: Tensor
    most: Tensor
    total: Tensor


class Clinical(nn.Module):
    """Stays -> (B, WIDTH), in the usual units, of what was known so far. Names are those of PhysioNet 2012.

    Days are the first 24 hours and the last; a variable that the coding lacks was never measured.
    """

    WIDTH = 10 + 4 + 3 + 3 + 3 + 2 * len(CHANGING) + 4

    center: Tensor
    scale: Tensor
    log: Tensor

    def __init__(self, coding: Any) -> None:
        super().__init__()
        of = coding.variables
        self.place = {variable.name: n for n, variable in enumerate(of)}
        self.step_hours = coding.step_hours
        for name in ("center", "scale", "log"):
            self.register_buffer(name, torch.tensor([float(getattr(v, name)) for v in of]))
        self.age = None
        column = 0
        for static in coding.statics:
            if static.name == "Age" and not static.levels:
                self.age = column, static.scaling.center, static.scaling.scale
            column += static.width

    @torch.no_grad()
    def forward(self, batch: StayBatch) -> Tensor:
        values = batch.values * self.scale + self.center
        values = torch.where(self.log > 0, torch.expm1(values), values)
        # A column more, never observed, for the variables that are not there.
        values = torch.cat([values, torch.zeros_like(values[..., :1])], dim=-1)
        observed = torch.cat([batch.observed, torch.zeros_like(batch.observed[..., :1])], dim=-1)
        steps = torch.arange(values.shape[1], device=values.device)[None]
        length = (~batch.padding).sum(1, keepdim=True)

        def part(where: Tensor) -> _Window:
            return _window(values, observed & where[..., None])

        whole = part(steps >= 0)
        first = part(steps * self.step_hours < DAY)
        day, half, late = (part((length - steps) * self.step_hours <= hours) for hours in (DAY, HALF, QUARTER))
        begin, end = _ends(values, observed)
        at = {name: self.place.get(name, -1) for name in (*CHANGING, *SAPS, *_OTHERS)}
        systolic, mean = (
            [_either(of[:, at[a]], of[:, at[b]]) for of in (whole.least, whole.mean, day.mean, late.mean, end)]
            for a, b in (("SysABP", "NISysABP"), ("MAP", "NIMAP"))
        )  # fmt: skip
        rate = [of[:, at["HR"]] for of in (whole.mean, day.mean, late.mean, end)]
        found = [
            *(_usual(of, USUAL["systolic"]) for of in systolic),
            *(_usual(of, USUAL["mean"]) for of in mean),
            *(_usual(r / s.clamp_min(30), USUAL["shock"]) for r, s in zip(rate, systolic[1:], strict=True)),
            *(
                _usual(of[:, at["PaO2"]] / by[:, at["FiO2"]].clamp_min(0.21), USUAL["oxygen"])
                for of, by in ((whole.least, whole.most), (whole.mean, whole.mean), (end, end))
            ),
            _usual(end[:, at["BUN"]] / end[:, at["Creatinine"]].clamp_min(0.1), USUAL["kidney"]),
            _usual(end[:, at["Na"]] - end[:, at["HCO3"]], USUAL["gap"]),
            _usual(whole.mean[:, at["SysABP"]] - whole.mean[:, at["DiasABP"]], USUAL["pulse"]),
            *(_usual(of.total[:, at["Urine"]], USUAL_URINE) for of in (first, day, half)),
            *(_usual(day.mean[:, at[name]] - first.mean[:, at[name]], 0) for name in CHANGING),
            *(_usual(end[:, at[name]] - begin[:, at[name]], 0) for name in CHANGING),
            *(_sofa(of, at) for of in (first, day)),
            *(_saps(of, at) + self._of_age(batch.statics) for of in (first, day)),
        ]
        return torch.stack(found, dim=1)

    def _of_age(self, statics: Tensor) -> Tensor:
        if self.age is None:
            return torch.zeros_like(statics[:, :1]).sum(1)
        column, center, scale = self.age
        known = statics[:, column + 1] > 0
        return _between(torch.where(known, statics[:, column] * scale + center, torch.nan), *SAPS_AGE)


_OTHERS = (
    "SysABP", "NISysABP", "MAP", "NIMAP", "DiasABP", "PaO2", "FiO2", "Urine", "Platelets", "Bilirubin", "Creatinine",
)  # fmt: skip


def _window(values: Tensor, there: Tensor) -> _Window:
    count = there.sum(1)
    total = (values * there).sum(1)
    least, most = values.masked_fill(~there, torch.inf).amin(1), values.masked_fill(~there, -torch.inf).amax(1)
    return _Window(*(torch.where(count > 0, of, torch.nan) for of in (total / count.clamp_min(1), least, most, total)))


def _ends(values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last value of each variable, (B, variables)."""
    steps = torch.arange(values.shape[1], device=values.device)[None, :, None]
    some = observed.any(1)
    first = values.gather(1, torch.where(observed, steps, values.shape[1] - 1).amin(1, keepdim=True))[:, 0]
    last = values.gather(1, torch.where(observed, steps, 0).amax(1, keepdim=True))[:, 0]
    return torch.where(some, first, torch.nan), torch.where(some, last, torch.nan)


def _either(value: Tensor, other: Tensor) -> Tensor:
    return torch.where(value.isnan(), other, value)


def _usual(value: Tensor, usual: float) -> Tensor:
    return torch.where(value.isnan(), usual, value)


def _limits(value: Tensor, limits: Sequence[float], *, above: bool) -> Tensor:
    """How many of the limits a value lies at or above, or below; of an unknown one none."""
    all_limits = torch.tensor(limits, dtype=value.dtype, device=value.device)
    met = value[:, None] >= all_limits if above else value[:, None] < all_limits
    return met.sum(1).to(value.dtype)


def _between(value: Tensor, limits: Sequence[float], points: Sequence[float]) -> Tensor:
    """The points of the interval that a value lies in; of an unknown one none."""
    edges = torch.tensor(limits, dtype=value.dtype, device=value.device)
    place = torch.bucketize(value.nan_to_num().contiguous(), edges, right=True)
    found = torch.tensor(points, dtype=value.dtype, device=value.device)[place]
    return torch.where(value.isnan(), 0, found)


def _sofa(of: _Window, at: dict[str, int]) -> Tensor:
    oxygen = of.least[:, at["PaO2"]] / of.most[:, at["FiO2"]].clamp_min(0.21)
    pressure = _either(of.least[:, at["MAP"]], of.least[:, at["NIMAP"]])
    parts = [_limits(oxygen, SOFA_OXYGEN, above=False), _limits(pressure, SOFA_PRESSURE, above=False)]
    parts += [_limits(of.least[:, at[name]], limits, above=False) for name, limits in SOFA_BELOW.items()]
    parts += [_limits(of.most[:, at[name]], limits, above=True) for name, limits in SOFA_ABOVE.items()]
    return torch.stack(parts).sum(0)


def _saps(of: _Window, at: dict[str, int]) -> Tensor:
    """The worse of the points of the day's least and most value, but for urine and breathing."""
    systolic = [_either(end[:, at["SysABP"]], end[:, at["NISysABP"]]) for end in (of.least, of.most)]
    parts = [torch.maximum(*(_between(end, *SAPS_SYSTOLIC) for end in systolic))]
    parts += [
        torch.maximum(*(_between(end[:, at[name]], *limits) for end in (of.least, of.most)))
        for name, limits in SAPS.items()
    ]
    return torch.stack(parts).sum(0)
