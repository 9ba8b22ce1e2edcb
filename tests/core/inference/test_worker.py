from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.inference import worker
from core.inference.package import ModelPackage

CHECKOUT = Path(__file__).resolve().parents[3]


def answers_to(*requests: Any) -> list[dict[str, Any]]:
    lines = [request if isinstance(request, str) else json.dumps(request) for request in requests]
    written = io.StringIO()
    worker.serve(io.StringIO("\n".join(lines)), written)
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_request_is_answered_with_progress_and_the_result(package: ModelPackage, scan: Path, tmp_path: Path):
    answers = answers_to({"id": 7, "scan": str(scan), "model": "bright", "out": str(tmp_path)})
    assert answers[0] == {"id": None, "event": "ready"}
    assert {answer["event"] for answer in answers[1:-1]} == {"progress"}
    assert all(set(answer) == {"id", "event", "fraction", "message"} for answer in answers[1:-1])
    last = answers[-1]
    assert (last["id"], last["event"]) == (7, "done")
    assert Path(last["result"]["output"]).is_file()
    assert last["result"]["structures"][0]["name"] == "Bright"


def test_a_bad_request_does_not_end_the_process(package: ModelPackage, scan: Path, tmp_path: Path):
    good = {"id": 5, "scan": str(scan), "model": "bright", "out": str(tmp_path)}
    answers = answers_to("garbage", "[1]", {"id": 3}, {**good, "id": 4, "scan": str(tmp_path / "absent.nii")}, "", good)
    ends = [answer for answer in answers if answer["event"] in ("failed", "done")]
    assert [(answer["id"], answer["event"]) for answer in ends] == [
        (None, "failed"),
        (None, "failed"),
        (3, "failed"),
        (4, "failed"),
        (5, "done"),
    ]
    assert ends[3]["error"]["where"].endswith("absent.nii")
    assert ends[3]["error"]["mend"]


def test_an_unexpected_error_is_told_without_its_details(
    package: ModelPackage,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("inner secret")

    monkeypatch.setattr("core.inference.predictor.segment", broken)
    *_, last = answers_to({"id": 1, "scan": str(scan), "model": "bright", "out": str(tmp_path)})
    assert last["error"]["what"] == "unexpected error"
    assert "inner secret" in capsys.readouterr().err


def test_the_child_process_speaks_json_only_and_ends_with_its_input(tmp_path: Path):
    request = json.dumps({"id": 1, "scan": "x", "model": "nothing", "out": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-m", "core.inference.worker"],
        input=request + "\n",
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["event"] for answer in answers] == ["ready", "failed"]
