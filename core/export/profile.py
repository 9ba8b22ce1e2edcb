"""Which parts of a DICOM header may stay: the Basic Application Level Confidentiality Profile of PS3.15, annex E.

The profile's table says what to do with the elements it lists; the library dicom-anonymizer keeps it up with the
standard. What it does not list is treated here as the profile demands of free text in standard elements: only what is
needed to understand the image stays. Everything is copied into a new header, so that nothing stays by being forgotten,
in sequences of any depth too; the library's own walk leaves those alone.
"""

from __future__ import annotations

import re
import secrets
from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.uid import UID, generate_uid

EDITION = "2026c"
METHOD = f"PS3.15 {EDITION} Basic Application Confidentiality Profile"

_TEXT = frozenset(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_TIMES = frozenset(("AS", "DA", "DT", "TM"))
_BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "UN"))
_DUMMIES: dict[str, Any] = {
    **dict.fromkeys((*_TEXT, "CS"), "ANONYMIZED"), "UR": "http://anonymized.invalid",
    "AS": "000Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "DS": "0", "IS": "0",
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"), 0),
    **dict.fromkeys(_BYTES, b"\0\0"),
}  # fmt: skip
# Code strings say how an image was made and how to show it in these groups, and in these elements of group 0008.
_CODE_GROUPS = frozenset((0x0018, 0x0020, 0x0022, 0x0028, 0x0048, 0x0050, 0x0052, 0x0054, 0x2050))
_CODES_OF_IMAGE = frozenset(
    (
        "ImageType", "Modality", "ConversionType", "PresentationIntentType", "PixelPresentation",
        "VolumetricProperties", "VolumeBasedCalculationTechnique", "ComplexImageComponent", "AcquisitionContrast",
    )
)  # fmt: skip
# Without these the pixels cannot be understood. The texts have defined terms.
_KEPT_TEXT = {
    "RescaleType": r"HU|US|OD|MGML|Z_EFF|ED|EDW|HU_MOD|PCT|normalized",
    "ModalityLUTType": r"HU|US|OD|MGML|Z_EFF|ED|EDW|HU_MOD|PCT",
    "StackID": r"[0-9]{1,4}",
}
_KEPT_BYTES = frozenset(
    (
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
        "LUTData", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
        "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
    )
)  # fmt: skip
_CODE_TRIPLE = ("CodeValue", "LongCodeValue", "URNCodeValue", "CodingSchemeDesignator", "CodeMeaning")


class Renaming:
    """The new names of one export: the same old UID or patient always gets the same new one, drawn at random."""

    def __init__(self) -> None:
        self._uids: dict[str, UID] = {}
        self._patients: dict[str, str] = {}

    def uid(self, old: str) -> UID:
        """What DICOM itself defines (classes, encodings) stays; everything else is renamed."""
        if not old or (UID(old).name != old and not UID(old).is_private):
            return UID(old)
        return self._uids.setdefault(old, generate_uid(prefix=None))

    def patient(self, header: Any) -> str:
        """A made-up name and ID that keeps the patients of one export apart."""
        return self._patients.setdefault(_identity(header), f"ANON-{secrets.token_hex(4).upper()}")


def cleaned(header: Any, renaming: Renaming, *, enhanced: bool | None = None) -> Dataset:
    """A new header with what may stay of this one, in its sequences too.

    enhanced: whether the image is a multi-frame one, whose modules may not lack what others may.
    """
    if enhanced is None:
        enhanced = "SharedFunctionalGroupsSequence" in header
    clean = Dataset()
    for tag in sorted(header.keys()):
        if tag.is_private or not dictionary_has_tag(tag) or tag.element == 0 or _is_drawing(tag):
            continue
        made = _element(header, tag, renaming, enhanced)
        if made is not None:
            clean.add(made)
    if any(name in header for name in _CODE_TRIPLE):
        _set_code(clean, header)
    return clean


def mark_cleaned(clean: Dataset, patient: str, program: str) -> None:
    """Write into a cleaned header who the patient now is, and how the header was cleaned."""
    clean.SpecificCharacterSet = "ISO_IR 192"
    clean.PatientName = clean.PatientID = patient
    clean.PatientBirthDate = clean.PatientSex = ""
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = [METHOD, program]
    method = Dataset()
    method.CodeValue, method.CodingSchemeDesignator = "113100", "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    clean.DeidentificationMethodCodeSequence = [method]
    clean.LongitudinalTemporalInformationModified = "REMOVED"


@cache
def _actions() -> dict[int, str]:
    """What the profile's table says of each element: "X" remove, "Z" empty, "D" replace, "U" rename, or a choice."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    table = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    named = {
        "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "ZD", "X_Z_TAGS": "XZ",
        "X_D_TAGS": "XD", "X_Z_D_TAGS": "XZD", "X_Z_U_STAR_TAGS": "U",
    }  # fmt: skip
    return {tag[0] << 16 | tag[1]: action for key, action in named.items() for tag in table[key] if len(tag) == 2}


def _is_drawing(tag: Any) -> bool:
    """Curves and overlays (groups 50xx and 60xx), in which names are drawn."""
    return tag.group & 0xFF00 in (0x5000, 0x6000)


def _element(header: Any, tag: Any, renaming: Renaming, enhanced: bool) -> DataElement | None:
    """An element as it may stay, or None."""
    try:
        return _made(header[tag], renaming, enhanced)
    except Exception:  # a value that cannot be parsed: what it holds is not known, so it goes
        return None


def _made(element: Any, renaming: Renaming, enhanced: bool) -> DataElement | None:
    action, vr = _actions().get(int(element.tag), ""), str(element.VR)
    if action == "X" or (not action and element.tag.group == 0x0010):
        return None
    if vr == "SQ":
        if action.startswith("X") or action == "Z":
            return DataElement(element.tag, vr, []) if "Z" in action else None
        items = [cleaned(item, renaming, enhanced=enhanced) for item in element.value]
        return DataElement(element.tag, vr, items)
    if vr == "UI":
        old = element.value if element.VM > 1 else [element.value] if element.value else []
        return DataElement(element.tag, vr, [renaming.uid(str(uid)) for uid in old])
    if not action:
        return _unlisted(element, vr, enhanced)
    if action == "D" or ("D" in action and enhanced):
        return DataElement(element.tag, vr, _DUMMIES[vr])
    return DataElement(element.tag, vr, None) if "Z" in action and vr not in _BYTES else None


def _unlisted(element: Any, vr: str, enhanced: bool) -> DataElement | None:
    """What becomes of an element that the profile's table does not list."""
    keyword = keyword_for_tag(element.tag)
    if vr in _BYTES:
        if keyword not in _KEPT_BYTES:
            return None
        kept = DataElement(element.tag, vr, element.value)
        kept.is_undefined_length = element.is_undefined_length
        return kept
    stays = True
    if vr in _TEXT:
        stays = keyword in _KEPT_TEXT and _all_match(element, _KEPT_TEXT[keyword])
    elif vr == "CS":
        stays = (element.tag.group in _CODE_GROUPS or keyword in _CODES_OF_IMAGE) and _all_match(
            element, r"[A-Z0-9_ ]{0,16}"
        )
    elif vr in ("DS", "IS"):
        stays = _all_match(element, r" *[-+0-9.eE]* *")
    elif vr in _TIMES:
        stays = False
    if stays:
        return DataElement(element.tag, vr, element.value)
    if enhanced:
        return DataElement(element.tag, vr, _DUMMIES[vr])
    return DataElement(element.tag, vr, None) if vr in _TEXT else None


def _all_match(element: Any, pattern: str) -> bool:
    values = element.value if element.VM > 1 else [element.value] if element.VM else []
    return all(value is None or re.fullmatch(pattern, str(value)) for value in values)


def _set_code(clean: Dataset, header: Any) -> None:
    """A coded concept stays where the standards' own dictionaries know it, in their words; else it becomes a dummy."""
    for name in _CODE_TRIPLE:
        if name in clean:
            delattr(clean, name)
    scheme, value = (str(header.get(name, "")).strip() for name in ("CodingSchemeDesignator", "CodeValue"))
    meaning = _known_codes().get((scheme, value))
    clean.CodeValue = value if meaning else "ANONYMIZED"
    clean.CodingSchemeDesignator = scheme if meaning else "99ANON"
    clean.CodeMeaning = meaning or "ANONYMIZED"


@cache
def _known_codes() -> dict[tuple[str, str], str]:
    """(scheme, value) -> meaning, of all concepts of PS3.16; those of SNOMED under their old values too."""
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    known = {
        (scheme, value): meaning
        for scheme, keywords in concepts.items()
        for values in keywords.values()
        for value, (meaning, *_) in values.items()
    }
    old = {("SRT", old): known[("SCT", new)] for old, new in mapping["SRT"].items() if ("SCT", new) in known}
    return {key: meaning[:64] for key, meaning in (known | old).items()}


def _identity(header: Any) -> str:
    parts = []
    for name in ("PatientID", "PatientName"):
        try:
            parts.append(str(header.get(name, "")))
        except Exception:  # a value that cannot be parsed
            parts.append("")
    return "\0".join(parts)
