"""What a run keeps may be damaged: that run says so, and no other is hidden by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.catalog import Catalog
from core.cli import main
from core.config import to_yaml
from core.data.plan import load_plan
from core.data.split import load_split
from core.errors import CatalogError, IsocenterError
from core.kept import experiment_in, kept_experiment, kept_settings
from tests.core.making import tiny_experiment

DAMAGED = ["task: [", "- 1", "", "\x00\x01", "a: &x 1\nb: *x", "[" * 5000]


def add(id: str, config: str, folder: Path) -> None:
    with Catalog() as catalog:
        catalog.add_run(id=id, name=id, task="segmentation", config=config, data_path="d", folder=folder / id, epochs=2)
        catalog.update_run(id, state="finished", summary={"val/dice": 0.5})


def sql(statement: str, *values: Any) -> None:
    with Catalog() as catalog, catalog._writing() as connection:
        connection.execute(statement, values)


def printed(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> tuple[str, str]:
    capsys.readouterr()
    assert main(list(words)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_settings_are_told_of_their_run_and_the_others_are_compared(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = to_yaml(tiny_experiment(tmp_path))
    add("bad", text, tmp_path)
    add("one", good, tmp_path)
    add("two", good.replace("seed: 0", "seed: 7"), tmp_path)
    out, _ = printed(capsys, 0, "runs", "list")
    assert all(name in out for name in ("bad", "one", "two"))
    assert "0.5" in printed(capsys, 0, "runs", "show", "bad")[0]
    out, err = printed(capsys, 2, "runs", "compare", "one", "bad", "two", "--json")
    assert "bad: the settings" in err
    answer = json.loads(out)
    assert answer["differences"] == {"seed": [0, None, 7]}
    assert [one["where"] for one in answer["failed"]] == ["bad"]
    printed(capsys, 2, "train", "--resume", "bad")
    with Catalog() as catalog:
        assert catalog.run("bad").state == "finished"
    printed(capsys, 2, "evaluate", "bad", str(tmp_path))
    printed(capsys, 2, "models", "publish", "bad")
    printed(capsys, 0, "runs", "export", "bad", str(tmp_path / "bad.json"))
    assert json.loads((tmp_path / "bad.json").read_text(encoding="utf-8"))["config"] == text
    assert "damaged" not in printed(capsys, 0, "runs", "compare", "one", "two")[1]


def test_settings_that_no_longer_hold_are_told_with_what_is_wrong(tmp_path: Path) -> None:
    add("old", "task:\n  name: segmentation\nmodel:\n  name: bygone\n", tmp_path)
    with Catalog() as catalog:
        run = catalog.run("old")
    assert kept_settings(run)["model"] == {"name": "bygone"}
    with pytest.raises(CatalogError, match=r"old: .*do not hold.*model"):
        kept_experiment(run)


@pytest.mark.parametrize("text", ["{", "[1]", "3", "null"])
def test_a_run_of_damaged_figures_is_listed_and_says_so(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("bad", to_yaml(tiny_experiment(tmp_path)), tmp_path)
    add("one", to_yaml(tiny_experiment(tmp_path)), tmp_path)
    sql("UPDATE runs SET summary = ? WHERE id = 'bad'", text)
    assert [run["metrics"] for run in json.loads(printed(capsys, 0, "runs", "list", "--json")[0])["runs"]] == [
        {"val/dice": 0.5}, {},
    ]  # fmt: skip
    assert "figures that the catalog keeps of this run are damaged" in printed(capsys, 0, "runs", "show", "bad")[0]


def test_one_damaged_row_hides_no_other_prediction(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Catalog() as catalog:
        ids = [
            catalog.add_prediction(
                scan=tmp_path / name, model="m", model_version="1", output=tmp_path / name, sha256="", structures=[],
                findings=[], seconds=1, device="cpu",
            )
            for name in ("a", "b")
        ]  # fmt: skip
        sql("UPDATE predictions SET structures = '[{' WHERE id = ?", ids[0])
        assert [row.id for row in catalog.predictions()] == [ids[1]]
        assert f"prediction {ids[0]} is damaged" in caplog.text
        with pytest.raises(CatalogError, match="damaged"):
            catalog.prediction(ids[0])


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\x00", b'{"train": 3}'])
def test_a_damaged_file_of_a_run_is_named(content: bytes, tmp_path: Path) -> None:
    for name, read in (("plan.yaml", load_plan), ("split.json", load_split), ("experiment.yaml", experiment_in)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(IsocenterError) as told:
            read(tmp_path)
        assert told.value.where == str(tmp_path / name)
