"""What clinicians derive from a stay: by hand the same, known so far only, and usual where nothing was measured."""

from __future__ import annotations

import pytest
import torch

from core.data.stays.coding import Scaling, Static, StayCoding
from core.models.nets.clinical import CHANGING, USUAL, Clinical
from core.models.nets.stays import StayBatch

NAMES = ("BUN", "Creatinine", "FiO2", "GCS", "HR", "NISysABP", "PaO2", "Platelets", "SysABP", "Urine")
CODING = StayCoding(
    variables=[Scaling(name=name, center=float(n), scale=2.0, log=name == "BUN") for n, name in enumerate(NAMES)],
    statics=[Static(scaling=Scaling(name="Gender")), Static(scaling=Scaling(name="Age", center=60, scale=10))],
    step_hours=6.0, steps=8,
)  # fmt: skip
SHOCK, OXYGEN, KIDNEY, URINE, CHANGE, SOFA, SAPS = 10, 14, 17, 20, 23, 23 + 2 * len(CHANGING), 25 + 2 * len(CHANGING)


def stay(measured: dict[str, dict[int, float]], age: float = 70.0, steps: int = 8) -> StayBatch:
    """One stay with values of variables by step, coded as the grid does."""
    values, observed = torch.zeros(1, 8, len(NAMES)), torch.zeros(1, 8, len(NAMES), dtype=torch.bool)
    for name, of in measured.items():
        n = NAMES.index(name)
        for step, value in of.items():
            x = torch.log1p(torch.tensor(value)) if name == "BUN" else value
            values[0, step, n], observed[0, step, n] = (x - n) / 2, True
    padding = torch.arange(8)[None] >= steps
    statics = torch.tensor([[0.0, 1.0, (age - 60) / 10, 1.0]])
    return StayBatch(values, observed, padding, torch.arange(8.0)[None] * 6, statics)


MEASURED: dict[str, dict[int, float]] = {
    "HR": {0: 80, 4: 100, 7: 120}, "SysABP": {0: 120, 7: 60}, "GCS": {0: 15, 7: 5}, "PaO2": {1: 90, 6: 60},
    "FiO2": {1: 0.5, 6: 1.0}, "BUN": {2: 40}, "Creatinine": {2: 2.0}, "Urine": {0: 300, 5: 100, 7: 50},
    "Platelets": {0: 200, 6: 40},
}  # fmt: skip


def test_ratios_changes_and_points_are_those_worked_out_by_hand() -> None:
    found = Clinical(CODING)(stay(MEASURED))[0].tolist()
    assert len(found) == Clinical.WIDTH
    assert found[0] == pytest.approx(60) and found[4] == pytest.approx(60)  # least and last systolic pressure
    assert found[SHOCK + 3] == pytest.approx(120 / 60)
    assert found[OXYGEN : OXYGEN + 3] == pytest.approx([60 / 1.0, 75 / 0.75, 60 / 1.0])
    assert found[KIDNEY] == pytest.approx(20, rel=1e-4)
    assert found[URINE : URINE + 3] == pytest.approx([300, 150, 50])  # the first day, the last, the last half day
    assert found[CHANGE : CHANGE + 1] == pytest.approx([-10.0])  # of GCS from day to day
    # The first day: oxygen 90 / 0.5 three, creatinine 2.0 two, the rest none.
    # The last: oxygen four, platelets 40 three, GCS 5 four; pressures of the mean are not known.
    assert found[SOFA : SOFA + 2] == pytest.approx([5, 11])
    # The first day: BUN 40 one, age 70 three; GCS 15, HR 80 and systolic 120 none.
    # The last: HR 120 two, systolic 60 two, GCS 5 three, age three.
    assert found[SAPS : SAPS + 2] == pytest.approx([4, 10])


def test_nothing_later_is_known_of_a_stay_that_has_just_begun() -> None:
    early = Clinical(CODING)(stay(MEASURED).ended(torch.tensor([3])))
    alone = {name: {step: value for step, value in of.items() if step < 3} for name, of in MEASURED.items()}
    assert torch.equal(early, Clinical(CODING)(stay(alone, steps=3)))


def test_cuffs_stand_in_for_lines_and_usual_values_for_what_was_not_measured() -> None:
    cuff = Clinical(CODING)(stay({"NISysABP": {0: 100}, "HR": {0: 50}}))[0]
    assert cuff[0] == pytest.approx(100) and cuff[SHOCK] == pytest.approx(0.5)
    none = Clinical(CODING)(stay({}, age=30))[0]
    assert none[0] == USUAL["systolic"] and none[SHOCK] == pytest.approx(USUAL["shock"])
    assert none[SOFA:].tolist() == [0, 0, 0, 0] and none[CHANGE:SOFA].abs().sum() == 0
    other = StayCoding(variables=[Scaling(name="zinc")])
    batch = stay({})._replace(values=torch.zeros(1, 8, 1), observed=torch.ones(1, 8, 1, dtype=torch.bool))
    assert torch.isfinite(Clinical(other)(batch)).all()
