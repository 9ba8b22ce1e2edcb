"""Reading a cohort: a table of subjects, or a BIDS folder, with everything that is wrong found at once."""

from __future__ import annotations

from pathlib import Path

from core.control import JobControl
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Cohort


def read_cohort(path: Path, data: CohortDataConfig, control: JobControl) -> Cohort:
    """Read and check a cohort.

    Raises DatasetError where there is no readable table; what is wrong with single subjects is a finding.
    """
    raise NotImplementedError
