"""Made DICOM series, as in the tests of reading."""

from __future__ import annotations

from tests.core.imaging.conftest import make_series  # noqa: F401
