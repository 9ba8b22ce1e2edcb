"""What networks cost is known before any is made, for those as they are offered without torch."""

from __future__ import annotations

import json
import subprocess
import sys

from core import registry
from core.models import costs

ALL = """
import sys
from core import registry
from core.models.costs import cost_of
parts = registry.parts("model").values()
usual = [part for part in parts if not any(field.is_required() for field in part.model_fields.values())]
counted = [cost_of(part()).parameters for part in usual]
print(len(counted), min(counted), sorted({"torch", "monai"} & set(sys.modules)))
"""


def test_the_kept_costs_are_what_the_networks_take() -> None:
    kept = json.loads(costs.TABLE.read_text(encoding="utf-8"))
    assert kept == costs.table(), "a network changed: `python -m core.models.costs` writes the table anew"


def test_the_usual_networks_are_planned_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True)
    count, fewest, loaded = done.stdout.strip().split(" ", 2)
    assert int(count) >= 6 and float(fewest) > 1e5 and loaded == "[]"


def test_another_setting_is_counted_anew() -> None:
    part = registry.part("model", "segresnet")
    usual, wide = (costs.cost_of(part.model_validate({"width": width})) for width in (16, 32))
    assert 3.5 < wide.parameters / usual.parameters < 4.1 and wide.operations > 3 * usual.operations
