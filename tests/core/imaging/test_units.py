from __future__ import annotations

import pydicom
import pytest

from core.imaging.info import describe
from core.imaging.reader import read

HEIGHTS = [0.0, 2.0, 4.0]


def dose(**changes) -> list[pydicom.Dataset]:
    item = pydicom.Dataset()
    values = {"RadionuclideTotalDose": 3e8, "RadionuclideHalfLife": 6586, "RadiopharmaceuticalStartTime": "101010"}
    for name, value in {**values, **changes}.items():
        if value is not None:
            setattr(item, name, value)
    return [item]


PET = {"Modality": "PT", "Units": "BQML", "PatientWeight": 70, "RescaleIntercept": 0}


def suv(volume) -> str:
    """The one finding about uptake values."""
    (finding,) = [f for f in volume.findings if f.code.startswith("suv")]
    return f"{finding.severity}: {finding.message}"


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ({}, "HU"),
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, ""),
        ({"Modality": "MR"}, ""),
        ({"Modality": "PT", "Units": "CNTS"}, "counts"),
        ({"Modality": "PT", "Units": "BQML"}, "Bq/mL"),
    ],
)
def test_units_are_what_the_header_says(make_series, changes, units):
    assert describe(read(make_series(HEIGHTS, **changes)))["units"] == units


def test_uptake_values_are_never_made_up(make_series):
    whole = make_series(HEIGHTS, RadiopharmaceuticalInformationSequence=dose(), **PET)
    assert suv(read(whole)).startswith("info: The values are Bq/mL")
    cases = [
        ({"PatientWeight": None}, dose(), "the weight"),
        ({"Units": "CNTS"}, dose(), "values in Bq/mL"),
        ({"Units": None}, dose(), "the unit"),
        ({}, dose(RadionuclideTotalDose=None), "the injected dose"),
        ({}, dose(RadiopharmaceuticalStartTime=None), "the time of the injection"),
        ({}, [], "the half-life"),
    ]
    for number, (changes, item, says) in enumerate(cases):
        changes = {**PET, **changes, "RadiopharmaceuticalInformationSequence": item}
        message = suv(read(make_series(HEIGHTS, folder=f"case{number}", **changes)))
        assert message.startswith("warning")
        assert says in message


def test_a_scan_that_is_no_pet_says_nothing_of_uptake(make_series):
    assert read(make_series(HEIGHTS)).findings == ()
