from __future__ import annotations

import io
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.catalog import Catalog
from core.cli import main
from core.commands.info import run as info
from core.inference import worker
from core.inference.package import ModelPackage
from tests.core.imaging.conftest import SeriesMaker, make_series

__all__ = ["make_series"]
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


def test_mirroring_is_asked_for_in_the_same_words_beside_the_window_and_on_the_command_line(
    make_package: Callable[..., ModelPackage], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    make_package(mirror_axes=["x", "y", "z"])
    said = "Averaged over up to 2 mirrorings where the structures are; a small scan over all 8."
    request = {"id": 1, "scan": str(scan), "model": "bright", "out": str(tmp_path), "mirror": "structures"}
    assert said in [one["message"] for one in answers_to(request)[-1]["result"]["findings"]]
    out = ["--out", str(tmp_path), "--mirror", "structures", "--json"]
    assert main(["predict", str(scan), "--model", "bright", *out]) == 0
    told = capsys.readouterr()
    assert said in [one["message"] for one in json.loads(told.out)["predictions"][0]["findings"]]
    assert "at most 2 × the time" in told.err


def test_the_series_asked_for_is_the_one_predicted(package: ModelPackage, make_series: SeriesMaker, tmp_path: Path):
    pixels = np.zeros((24, 24), np.int16)
    pixels[8:16, 8:16] = 1000
    look = {"Rows": 24, "Columns": 24, "PixelSpacing": [1, 1], "PixelData": pixels.tobytes()}
    folder = make_series(range(20), **look)
    make_series(range(24), names=[f"b{n}" for n in range(24)], SeriesInstanceUID="1.2.4", **look)
    request = {"scan": str(folder), "model": "bright", "out": str(tmp_path / "out")}
    answers = answers_to(*({"id": n, **request, "series": series} for n, series in enumerate(("", "1.2.3", "9"))))
    ends = [answer for answer in answers if answer["event"] in ("failed", "done")]
    assert [end["result"]["series"] for end in ends[:2]] == ["1.2.4", "1.2.3"]
    assert ends[2]["error"]["what"].startswith("the series asked for")
    with Catalog() as catalog:
        assert [row.series for row in catalog.predictions()] == ["1.2.3", "1.2.4"]


def test_info_names_the_other_series_so_that_they_can_be_asked_for(
    make_series: SeriesMaker, capsys: pytest.CaptureFixture[str]
):
    folder = make_series(range(3))
    make_series(range(4), names=list("abcd"), SeriesInstanceUID="1.2.4", SeriesDescription="Someone's head")
    info(Namespace(scan=folder, series=None, json=True))
    facts = json.loads(capsys.readouterr().out)
    assert (facts["series"], facts["shape"][2]) == ("1.2.4", 4)
    assert facts["other_series"] == [{"series": "1.2.3", "modality": "CT", "images": 3}]
    info(Namespace(scan=folder, series="1.2.3", json=False))
    assert "1.2.3" in capsys.readouterr().out


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


def test_a_graph_that_is_lacking_is_made_once_and_after_the_answer(
    package: ModelPackage, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[list[str]] = []

    class Child:
        def __init__(self, command: list[str], **_: Any) -> None:
            assert '"done"' in written.getvalue()
            started.append(command)

        def poll(self) -> int:
            return 1

    monkeypatch.setattr("core.inference.runtime.lacks_graph", lambda _: True)
    monkeypatch.setattr(worker.subprocess, "Popen", Child)
    line = json.dumps({"id": 1, "scan": str(scan), "model": "bright", "out": str(tmp_path)}) + "\n"
    written = io.StringIO()
    worker.serve(io.StringIO(line * 2), written, worker.Preparer())
    assert [command[-1] for command in started] == [str(package.folder)]


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
