"""The benchmark of the risk network's step, on a CPU at a small size."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from tests.benchmarks import risk
from tests.benchmarks.inspect_risk import measure

SMALL = {"width": 12, "depths": [1, 1], "heads": [1, 2], "window": 2, "readout": 2, "clinical": 8, "fusion": 8}


def small(device: str = "cpu", **changes: Any) -> dict[str, Any]:
    settings = risk.ways(device, quick=True, shape=(16, 20, 16))[changes.pop("way", "plain")]
    settings["network"] = {**settings["network"], **SMALL, "cross_heads": 2}
    return {**settings, "features": 3, **changes}


def test_a_step_is_timed_and_its_memory_told():
    found = measure(small(steps=2))
    assert len(found["step_s"]) == 2
    assert min(found["step_s"]) > 0
    assert found["step_peak_gb"] >= found["forward_peak_gb"] > 0
    assert found["last_loss"] < found["first_loss"]
    assert risk.row("plain", found)[:2] == ("plain", "4 x 1")


def test_checkpointing_changes_no_loss():
    plain, saving = measure(small(steps=2)), measure(small(way="checkpointing", steps=2))
    assert saving["checkpointing"] and not plain["checkpointing"]
    assert saving["last_loss"] == pytest.approx(plain["last_loss"], rel=1e-5)


def test_a_gpu_is_measured_in_both_mixed_precisions_and_a_cpu_never_in_16_bits():
    assert {"16-mixed", "bf16-mixed"} <= {way["precision"] for way in risk.ways("cuda").values()}
    assert "16-mixed" not in {way["precision"] for way in risk.ways("cpu").values()}


def test_the_measuring_needs_nothing_but_torch():
    """So that a computer that has torch alone measures what another one wrote down."""
    absent = "import sys; sys.modules |= dict.fromkeys(['pydantic', 'yaml', 'platformdirs', 'lightning', 'monai'])"
    code = f"{absent}; from tests.benchmarks import risk, inspect_risk; inspect_risk.main()"
    run = subprocess.run([sys.executable, "-c", code, json.dumps(small())], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["parameters"] == measure(small())["parameters"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["32", "16-mixed", "bf16-mixed"])
def test_a_step_on_a_gpu_learns_in_each_precision(precision: str):
    found = measure(small("cuda", precision=precision, steps=5))
    assert found["last_loss"] < found["first_loss"]
    assert found["step_peak_gb"] < 1


def test_a_way_that_fails_is_told_by_its_last_line():
    with pytest.raises(RuntimeError, match="KeyError"):
        risk.measured({"device": "cpu"})
