"""What the numbers of a DICOM series mean, as far as its headers say."""

from __future__ import annotations

from core.imaging.elements import Elements
from core.imaging.rtdose import dose_units, is_dose
from core.imaging.volume import Finding

_PET_UNITS = {"BQML": "Bq/mL", "CNTS": "counts", "GML": "g/mL", "PROPCPS": "counts/s", "CM2ML": "cm2/mL"}
# What a standardised uptake value is computed from, beside the values in Bq/mL.
_DOSE = {
    "RadionuclideTotalDose": "the injected dose",
    "RadionuclideHalfLife": "the half-life",
}
_START = ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime")


def units_of(header: Elements) -> str:
    """The unit of the scaled values, such as "HU" or "Bq/mL"; empty where the header does not say."""
    try:
        if header.get("Modality") == "CT":
            return "HU" if (header.get("RescaleType") or "HU").upper() == "HU" else ""
        if header.get("Modality") == "PT":
            return _PET_UNITS.get((header.get("Units") or "").upper(), "")
        if is_dose(header):
            return dose_units(header)
    except Exception:  # an element that cannot be parsed
        return ""
    return ""


def uptake_findings(header: Elements) -> list[Finding]:
    """For PET: that the values are no standardised uptake values (SUV), and whether those could be computed at all."""
    if header.get("Modality") != "PT":
        return []
    missing = _missing(header)
    if missing:
        message = f"No SUV can be computed: the headers do not give {', '.join(missing)}."
        return [Finding("suv_unavailable", "warning", message)]
    return [Finding("suv_not_computed", "info", "The values are Bq/mL; they were not turned into SUV.")]


def _missing(header: Elements) -> list[str]:
    missing = []
    try:
        units = header.get("Units") or ""
        if units.upper() != "BQML":
            missing.append("values in Bq/mL" if units else "the unit of the values")
        if not (header.get("PatientWeight") or 0) > 0:
            missing.append("the weight")
        drugs = header.get("RadiopharmaceuticalInformationSequence")
        drug = drugs[0] if drugs else Elements({})
        missing += [name for keyword, name in _DOSE.items() if not (drug.get(keyword) or 0) > 0]
        if not any(drug.get(keyword) for keyword in _START):
            missing.append("the time of the injection")
    except Exception:  # an element that cannot be parsed
        missing.append("readable values")
    return missing
