from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core.catalog import Catalog
from core.cli import main
from core.config import to_yaml
from core.paths import models_folder
from tests.core.making import ball_case, make_dataset, tiny_experiment, write_nifti

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A home with one run, made by the command line, and published as `tiny`."""
    home, data = tmp_path_factory.mktemp("trained"), make_dataset(tmp_path_factory.mktemp("data"))
    config = home / "tiny.yaml"
    config.write_text(to_yaml(tiny_experiment(data)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(home))
        done = run_cli("train", str(config), "--json", "trainer.epochs=1", cwd=CHECKOUT)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert main(["models", "publish", result["run"], "--name", "tiny"]) == 0
    return {"home": home, "data": data, "config": config, **result}


@pytest.fixture
def home(trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("ISOCENTER_HOME", str(trained["home"]))
    return trained


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return write_nifti(tmp_path / "ball.nii.gz", ball_case(9)[0], np.diag([-1.0, -1.0, 1.0, 1.0]))


def run_cli(*args: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core.cli", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def answered(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    """The one JSON object that a command prints."""
    capsys.readouterr()
    assert main([*args, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line on stderr of a command that ends with 2 and prints nothing on stdout."""
    capsys.readouterr()
    assert main(list(args)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = [line for line in said.err.splitlines() if line.startswith("isocenter: ")]
    return line


# ---- train ------------------------------------------------------------------------------------------------------


def test_training_answers_with_the_run_its_metrics_and_checkpoints(trained: dict[str, Any]):
    assert trained["state"] == "finished"
    assert "val/dice" in trained["metrics"]
    assert set(trained["checkpoints"]) == {"best", "last"}
    assert all(Path(path).is_file() for path in trained["checkpoints"].values())


def test_a_run_goes_on_from_its_checkpoint(home: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "two.yaml"
    config.write_text(to_yaml(tiny_experiment(home["data"], epochs=2)))
    first = answered(capsys, "train", str(config), "name=resumed")
    again = answered(capsys, "train", "--resume", first["run"])
    assert again["run"] == first["run"]
    assert again["state"] == "finished"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "either an experiment or --resume"),
        (("nothing-like-it",), "no such preset or file"),
        (("hippocampus-quick",), "no data set is chosen"),
        (("hippocampus-quick", "trainer.speed=1"), "trainer.speed is not a known key"),
        (("hippocampus-quick", "trainer.epochs=none"), "trainer.epochs"),
        (("hippocampus-quick", "data.path=/nowhere"), "/nowhere"),
        (("--resume", "nothing"), "no run 'nothing'"),
    ],
)
def test_training_refuses_what_it_cannot_do(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str):
    assert said in refused(capsys, "train", *args)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal for one process")
@pytest.mark.parametrize("asked", ["SIGINT", "SIGTERM"])
def test_ctrl_c_or_a_polite_kill_stops_a_training_and_keeps_its_checkpoints(home: dict[str, Any], asked: str):
    command = [sys.executable, "-m", "core.cli", "train", str(home["config"]), "name=stopped", "trainer.epochs=100000",
               "--json"]  # fmt: skip
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            for line in child.stderr:
                if line.startswith("epoch 1:"):
                    break
            child.send_signal(signal.Signals[asked])
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 130, err
    result = json.loads(out)
    assert result["state"] == "stopped"
    assert set(result["checkpoints"]) == {"best", "last"}


# ---- predict ----------------------------------------------------------------------------------------------------


def test_a_prediction_is_written_on_the_scans_grid(
    home: dict[str, Any], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    answer = answered(capsys, "predict", str(scan), "--model", "tiny", "--out", str(tmp_path / "out"))
    [prediction] = answer["predictions"]
    assert prediction["output"] == str(tmp_path / "out" / "ball_seg.nii.gz")
    written = nib.load(prediction["output"])
    assert np.array_equal(written.affine, nib.load(scan).affine)
    assert written.shape == (16, 16, 16)
    assert {"scan", "model", "output", "structures", "findings", "seconds"} <= set(prediction)
    assert {"label", "name", "voxels", "volume_ml", "confidence"} <= set(prediction["structures"][0])


def test_one_bad_scan_does_not_keep_the_others_from_their_answer(
    home: dict[str, Any], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bad = tmp_path / "bad.nii"
    bad.write_bytes(b"")
    args = ["predict", str(bad), str(scan), "--model", "tiny", "--out", str(tmp_path / "out"), "--json"]
    assert main(args) == 2
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert [p["scan"] for p in answer["predictions"]] == [str(scan)]
    assert [f["scan"] for f in answer["failed"]] == [str(bad)]
    assert "the file is empty" in said.err


def test_scans_of_one_name_are_not_written_over_each_other(
    home: dict[str, Any], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = write_nifti(tmp_path / "other" / "ball.nii", ball_case(8)[0])
    said = refused(capsys, "predict", str(scan), str(other), "--model", "tiny", "--out", str(tmp_path / "out"))
    assert "same file" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"hello", "not a scan"), (None, "no such file")],
)
def test_what_is_no_scan_is_refused(
    home: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
):
    path = tmp_path / "x.bin"
    if content is not None:
        path.write_bytes(content)
    line = refused(capsys, "predict", str(path), "--model", "tiny", "--out", str(tmp_path / "out"))
    assert said in line
    assert str(path) in line
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_refused_with_the_known_ones(
    home: dict[str, Any], scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    line = refused(capsys, "predict", str(scan), "--model", "nothing", "--out", str(tmp_path))
    assert "tiny" in line


def test_a_result_folder_that_cannot_be_made_is_refused(
    home: dict[str, Any], scan: Path, capsys: pytest.CaptureFixture[str]
):
    assert "cannot be written" in refused(capsys, "predict", str(scan), "--model", "tiny", "--out", str(scan / "below"))


# ---- the other commands -----------------------------------------------------------------------------------------


def test_evaluation_gives_means_and_cases(home: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    answer = answered(capsys, "evaluate", "tiny", str(home["data"]))
    assert {"test/dice", "test/dice/Label 1", "test/jaccard"} <= set(answer["metrics"])
    assert len(answer["cases"]) == 6
    of_run = answered(capsys, "evaluate", home["run"], str(home["data"]), "--split", "val")
    assert 0 < len(of_run["cases"]) < 6


def test_evaluation_of_an_empty_folder_is_refused(
    home: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert str(tmp_path) in refused(capsys, "evaluate", "tiny", str(tmp_path))


def test_a_run_whose_folder_is_gone_is_told_so(home: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    plan = Path(answered(capsys, "runs", "show", home["run"])["folder"]) / "plan.yaml"
    aside = plan.rename(plan.with_suffix(".aside"))
    try:
        for command in (["evaluate", home["run"], str(home["data"])], ["models", "publish", home["run"]]):
            assert f"{plan}: a file that the run keeps cannot be read" in refused(capsys, *command)
    finally:
        aside.rename(plan)


def test_runs_are_listed_shown_compared_and_exported(
    home: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert home["run"] in {run["run"] for run in answered(capsys, "runs", "list")["runs"]}
    shown = answered(capsys, "runs", "show", home["run"])
    assert shown["checkpoints"]
    assert shown["events"]
    other = answered(capsys, "train", str(home["config"]), "name=other", "optimizer.lr=0.01", "trainer.epochs=1")
    compared = answered(capsys, "runs", "compare", home["run"], other["run"])
    assert compared["differences"]["optimizer.lr"][1] == 0.01
    assert "seed" not in compared["differences"]
    assert main(["runs", "export", home["run"], str(tmp_path / "run.csv")]) == 0
    assert (tmp_path / "run.csv").read_text().startswith("key,step,epoch,value,time\n")
    assert main(["runs", "export", home["run"], str(tmp_path / "run.json")]) == 0
    assert json.loads((tmp_path / "run.json").read_text())["points"]
    assert ".csv" in refused(capsys, "runs", "export", home["run"], str(tmp_path / "run.xls"))


def test_a_model_goes_out_and_comes_in(home: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                       monkeypatch: pytest.MonkeyPatch):  # fmt: skip
    path = answered(capsys, "models", "export", "tiny", str(tmp_path))["output"]
    assert zipfile.is_zipfile(path)
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "fresh"))
    assert answered(capsys, "models", "import", path)["name"] == "tiny"
    assert (models_folder() / "tiny-1.0").is_dir()
    assert "tiny" in {model["name"] for model in answered(capsys, "models", "list")["models"]}
    assert "Research use only" in answered(capsys, "models", "show", "tiny")["card"]


def test_the_networks_are_listed_with_their_settings(capsys: pytest.CaptureFixture[str]):
    networks = {network["name"]: network for network in answered(capsys, "models", "list", "--networks")["networks"]}
    assert "channels" in networks["unet"]["schema"]["properties"]


def test_info_tells_the_geometry(scan: Path, capsys: pytest.CaptureFixture[str]):
    facts = answered(capsys, "info", str(scan))
    assert (facts["shape"], facts["orientation"]) == ([16, 16, 16], "LPS")
    assert main(["info", str(scan)]) == 0


def test_conversion_keeps_values_and_place(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "converted.nii"
    answered(capsys, "convert", str(scan), str(out))
    before, after = nib.load(scan), nib.load(out)
    assert np.array_equal(before.affine, after.affine)
    assert np.array_equal(before.get_fdata(), after.get_fdata())
    assert "overwrite" in refused(capsys, "convert", str(scan), str(scan))
    assert "End the name with" in refused(capsys, "convert", str(scan), str(tmp_path / "x.png"))


def test_doctor_never_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    checks = {check["name"]: check for check in answered(capsys, "doctor")["checks"]}
    assert {"program", "packages", "computer", "devices", "sqlite", "home", "catalog", "models"} <= set(checks)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "file"))
    checks = {check["name"]: check for check in answered(capsys, "doctor")["checks"]}
    assert not checks["home"]["ok"]


# ---- exit codes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [(), ("nothing",), ("predict",), ("train", "hippocampus-quick", "--bogus"), ("info",)])
def test_a_command_that_is_not_understood_ends_with_2(args: tuple[str, ...]):
    assert main(list(args)) == 2


def test_help_and_version_end_with_0(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0
    assert "predict" in capsys.readouterr().out


def test_an_unexpected_error_ends_with_1(
    scan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("core.imaging.reader.read", broken)
    assert main(["info", str(scan)]) == 1
    assert "unexpected RuntimeError: boom" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["info"], ["predict", "--model", "hippocampus", "--out", "out"]])
def test_a_series_of_a_file_that_has_none_is_refused(
    command: list[str], scan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    assert "--series" in refused(capsys, *command, str(scan), "--series", "1.2.3")


def test_an_interruption_ends_with_130(scan: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.imaging.reader.read", interrupted)
    assert main(["info", str(scan)]) == 130


def test_what_is_not_permitted_ends_with_2_and_names_the_place(
    scan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", "/a/place")

    monkeypatch.setattr("core.imaging.reader.read", denied)
    assert "/a/place: this may not be read" in refused(capsys, "info", str(scan))
    (scan.parent / "c.yaml").write_text("name: x")
    monkeypatch.setattr(Path, "read_text", denied)
    assert "c.yaml: the file cannot be read" in refused(capsys, "train", str(scan.parent / "c.yaml"))


def test_a_polite_kill_ends_a_command_as_ctrl_c_does(scan: Path, monkeypatch: pytest.MonkeyPatch):
    def killed(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("core.imaging.reader.read", killed)
    assert main(["info", str(scan)]) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_home_that_cannot_be_written_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "file"))
    assert "ISOCENTER_HOME" in refused(capsys, "runs", "list")


def test_help_needs_no_heavy_library():
    code = "import sys, core.cli; core.cli.main(['--help']); print('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.partition("MODULES")[2].split())
    assert not {"torch", "numpy", "pydantic", "yaml", "nibabel"} & loaded


def test_numbers_that_json_cannot_hold_are_null(capsys: pytest.CaptureFixture[str]):
    from core.commands.console import answer_json

    answer_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": "x"}


def test_an_interrupted_run_is_marked_when_runs_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    with Catalog() as catalog:
        catalog.add_run(id="gone", name="gone", task="segmentation", config="", data_path="", folder=tmp_path, epochs=1)
        catalog.update_run("gone", pid=2**22 + 1, created=time.time())
    assert answered(capsys, "runs", "list")["runs"][0]["state"] == "interrupted"


def test_a_new_name_for_the_experiment_keeps_all_the_rest():
    from core.config import load_tree

    tree, renamed = load_tree("hippocampus-quick"), load_tree("hippocampus-quick", ["name=mine"])
    assert renamed == {**tree, "name": "mine"}


def test_a_stream_of_few_letters_holds_every_answer(monkeypatch: pytest.MonkeyPatch):
    from core.commands.console import answer, answer_json

    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    answer_json({"scan": "頭.nii"})
    answer("頭.nii")
    narrow.flush()
    whole, line = narrow.buffer.getvalue().decode("cp1252").splitlines()
    assert json.loads(whole) == {"scan": "頭.nii"}
    assert line == "\\u982d.nii"
