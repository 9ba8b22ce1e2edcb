"""What is known of measurements by their name: unit, plausible and normal range, and units they are mistaken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A measurement's unit, what a living patient can have, and what is normal in adults (None: no such range).

    other_units: (low, high, factor, offset, unit): a value within low..high is in that unit, and is value * factor +
    offset in the usual one. Only units whose values cannot be mistaken for the usual one's are listed.
    """

    unit: str
    low: float
    high: float
    normal: tuple[float, float] | None = None
    other_units: tuple[tuple[float, float, float, float, str], ...] = ()


_PRESSURE_DIASTOLIC = Known("mmHg", 5, 250, (60, 90))
_PRESSURE_MEAN = Known("mmHg", 10, 300, (70, 105))
_PRESSURE_SYSTOLIC = Known("mmHg", 20, 330, (90, 140))

# The names are those of the PhysioNet/CinC Challenge 2012 (Silva et al., Comput Cardiol 2012;39:245).
MEASUREMENTS: Mapping[str, Known] = {
    "Albumin": Known("g/dL", 0.5, 8, (3.4, 5.4)),
    "ALP": Known("IU/L", 1, 10_000, (40, 130)),
    "ALT": Known("IU/L", 1, 40_000, (7, 56)),
    "AST": Known("IU/L", 1, 60_000, (8, 48)),
    "Bilirubin": Known("mg/dL", 0.05, 100, (0.1, 1.2)),
    "BUN": Known("mg/dL", 0.5, 400, (7, 20)),
    "Cholesterol": Known("mg/dL", 15, 1500, (0, 200)),
    "Creatinine": Known("mg/dL", 0.05, 30, (0.6, 1.3), ((35, 3000, 1 / 88.4, 0, "µmol/L"),)),
    "DiasABP": _PRESSURE_DIASTOLIC,
    "FiO2": Known("fraction", 0.15, 1, None, ((15, 100, 0.01, 0, "%"),)),
    "GCS": Known("points", 3, 15, (15, 15)),
    "Glucose": Known("mg/dL", 5, 2500, (70, 140)),
    "HCO3": Known("mmol/L", 2, 80, (22, 29)),
    "HCT": Known("%", 4, 80, (36, 50)),
    "HR": Known("/min", 10, 320, (60, 100)),
    "K": Known("mmol/L", 0.5, 15, (3.5, 5.0)),
    "Lactate": Known("mmol/L", 0.1, 45, (0.5, 2.0)),
    "Mg": Known("mg/dL", 0.2, 20, (1.7, 2.4)),
    "MAP": _PRESSURE_MEAN,
    "MechVent": Known("", 0, 1),
    "Na": Known("mmol/L", 80, 210, (135, 145)),
    "NIDiasABP": _PRESSURE_DIASTOLIC,
    "NIMAP": _PRESSURE_MEAN,
    "NISysABP": _PRESSURE_SYSTOLIC,
    "PaCO2": Known("mmHg", 5, 220, (35, 45)),
    "PaO2": Known("mmHg", 15, 760, (75, 100)),
    "pH": Known("", 6.3, 8.2, (7.35, 7.45), ((630, 820, 0.01, 0, "hundredths"),)),
    "Platelets": Known("10⁹/L", 1, 4000, (150, 450)),
    "RespRate": Known("/min", 1, 120, (12, 20)),
    "SaO2": Known("%", 15, 100, (94, 100), ((0.15, 1.0, 100, 0, "fraction"),)),
    "SysABP": _PRESSURE_SYSTOLIC,
    "Temp": Known("°C", 22, 45, (36.1, 37.5), ((71, 113, 5 / 9, -160 / 9, "°F"), (295, 318, 1, -273.15, "K"))),
    "TroponinI": Known("µg/L", 0, 1000, (0, 0.04)),
    "TroponinT": Known("µg/L", 0, 200, (0, 0.01)),
    "Urine": Known("mL", 0, 12_000),
    "WBC": Known("10⁹/L", 0.01, 800, (4, 11)),
    "Weight": Known("kg", 15, 500),
    "Age": Known("years", 0, 125),
    "Gender": Known("", 0, 1),
    "Height": Known("cm", 60, 250, None, ((0.6, 2.5, 100, 0, "m"),)),
    "ICUType": Known("", 1, 4),
}

# What the codes of some facts mean.
WORDS: Mapping[str, Mapping[float, str]] = {
    "Gender": {0: "female", 1: "male"},
    "ICUType": {1: "coronary care", 2: "cardiac surgery recovery", 3: "medical ICU", 4: "surgical ICU"},
}

# Facts of a patient rather than series; Weight is both.
STATICS = ("Age", "Gender", "Height", "ICUType", "Weight")
ONLY_STATIC = ("Age", "Gender", "Height", "ICUType")
CATEGORIES = ("ICUType",)

# Known only after the time that a prediction is made at, or the answer itself: never learned from.
OUTCOMES = (
    "In-hospital_death", "Length_of_stay", "Survival", "mortality", "death", "died", "hospital_expire_flag", "SAPS-I",
    "SOFA",
)  # fmt: skip
IDENTIFIERS = ("RecordID",)
# How outcomes that were not taken down are written. (Survival of -1 says that no death is known.)
MISSING_OUTCOMES = {"Length_of_stay": -1.0, "SAPS-I": -1.0, "SOFA": -1.0}
