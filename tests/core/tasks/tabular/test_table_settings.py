"""What a tabular experiment takes, and what it refuses rather than ignores."""

from __future__ import annotations

import pytest

from core import config


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [("accumulate", 4, "must be 1"), ("precision", "16-mixed", "bf16-mixed"), ("devices", 2, "one device")],
)
def test_a_setting_that_tables_would_leave_unheeded_is_refused(key: str, value: object, told: str) -> None:
    tree = {"task": "tabular", "trainer": {key: value}}
    assert told in " ".join(config.problems(tree).values())
    del tree["trainer"]
    assert config.problems(tree) == {}
