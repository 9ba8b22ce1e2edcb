"""Fine-tuning: kinds of outcomes, modes, where the encoder comes from, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from core import config
from core.catalog import Catalog, RunRow
from core.data.stays.coding import Scaling, StayCoding
from core.errors import ConfigError, DatasetError, ModelError
from core.tasks.pretraining.encoders import origin_of
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree, write_stay


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = tmp_path_factory.mktemp("stays")
    make_stays(whole)
    return make_stays(whole, 30, first=5000, part="set-b")


@pytest.fixture
def pretrained(folder: Path) -> RunRow:
    return train(tree("pretraining", folder, data={"parts": ["set-a"]}, trainer={"epochs": 1}))


def train(settings: dict[str, Any]) -> RunRow:
    run = execute(prepare_run(config.parse(settings)))
    assert run.state == "finished"
    return run


def labelled(folder: Path, **blocks: Any) -> dict[str, Any]:
    return tree("finetuning", folder, **{"data": {"parts": ["set-a"]}, **blocks})


@pytest.mark.parametrize(
    ("kind", "targets", "metric"),
    [
        ("binary", ["In-hospital_death"], "auroc"), ("multiclass", ["ward"], "auprc"),
        ("multilabel", ["fever", "shock"], "f1"), ("regression", ["Length_of_stay"], "mse"),
    ],
)  # fmt: skip
def test_each_kind_of_outcome_is_learned_and_logged(folder: Path, kind: str, targets: list[str], metric: str) -> None:
    task = {"kind": kind, "targets": targets, "mode": "full", "head": {"name": "mlp", "hidden": [8]}}
    run = train(labelled(folder, task=task, data={"parts": ["set-a"], "test_parts": ["set-b"]}, trainer={"epochs": 6}))
    with Catalog() as catalog:
        points = {point.key: point.value for point in catalog.metrics(run.id)}
        losses = [point.value for point in catalog.metrics(run.id, key="val/loss")]
    for part in ("train", "val", "test"):
        assert f"{part}/{metric}" in points and f"{part}/loss" in points
    assert losses[-1] < losses[0]
    if kind in ("binary", "multilabel"):
        assert points["test/auroc"] > 0.8


def test_a_probe_leaves_the_encoder_and_full_training_moves_it(folder: Path, pretrained: RunRow) -> None:
    before = origin_of(pretrained.id).weights
    for mode, epochs, moved in (("probe", 2, False), ("full", 2, True), ("gradual", 2, False), ("gradual", 3, True)):
        task = {"mode": mode, "unfreeze_epoch": 3}
        run = train(
            labelled(
                folder,
                encoder={"checkpoint": pretrained.id},
                task=task,
                trainer={"epochs": epochs, "early_stopping": 0},
            )
        )
        after = {
            name.removeprefix("encoders.0."): value
            for name, value in load_weights(run.folder / "checkpoints" / "last.ckpt").items()
            if name.startswith("encoders.0.")
        }
        assert before.keys() == after.keys()
        assert any(not torch.equal(before[name], after[name]) for name in before) is moved, mode


def test_layers_learn_more_slowly_the_deeper_they_lie(folder: Path) -> None:
    from core.tasks.finetuning.building import build_for

    experiment = config.parse(labelled(folder, task={"mode": "full", "members": 2}))
    coding = StayCoding(variables=[Scaling(name=name) for name in ("HR", "Temp", "Lactate")])
    network = build_for(experiment, coding, 1)
    groups = network.groups(1.0, 0.5)
    assert [group["lr"] for group in groups] == [1.0, 1.0, 0.125, 0.25, 0.5]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


@pytest.mark.parametrize("settings", [{"balance": "weights"}, {"balance": "sampling"}, {"loss": "focal"},
                                      {"class_weights": [1.0, 3.0]}, {"hide": 0.3, "members": 2}])  # fmt: skip
def test_rare_outcomes_can_count_more(folder: Path, settings: dict[str, Any]) -> None:
    run = train(labelled(folder, task={"mode": "full", **settings}, trainer={"epochs": 3}))
    assert run.summary["val/auroc"] > 0.6


def test_the_weights_of_classes_make_them_equal(folder: Path) -> None:
    from core.tasks.finetuning.module import class_weights, sampling
    from core.tasks.finetuning.outcome import Target

    value = np.array([0.0] * 9 + [1.0])
    target = Target(kind="binary", columns=["d"], classes=["0", "1"])
    task = config.parse(labelled(folder, task={"balance": "weights"})).task
    weights = class_weights(task, target, value).numpy()
    assert weights[0] * 9 == pytest.approx(weights[1] * 1)
    drawn = sampling(target, value)
    assert drawn[:9].sum() == pytest.approx(0.5) and drawn.sum() == pytest.approx(1)


def test_an_encoder_comes_from_a_run_its_file_or_a_checkpoint(folder: Path, pretrained: RunRow, tmp_path: Path) -> None:
    files = [pretrained.id, pretrained.folder / "encoder.safetensors", pretrained.folder / "checkpoints" / "last.ckpt"]
    plain = tmp_path / "weights.pt"
    torch.save(origin_of(pretrained.id).weights, plain)
    for start in [*files, plain]:
        prepared = prepare_run(config.parse(labelled(folder, encoder={"checkpoint": str(start)})))
        with Catalog() as catalog:
            assert any("The encoder begins with" in event.message for event in catalog.events(prepared))
    unknown = [e.message for e in Catalog().events(prepared) if "is not known" in e.message]
    assert unknown  # bare weights do not tell what they learned from


def test_a_full_run_takes_over_what_it_was_pretrained_with(folder: Path, pretrained: RunRow) -> None:
    settings = labelled(folder, encoder={"checkpoint": pretrained.id})
    settings["data"] = {"path": str(folder), "parts": ["set-a"], "val_fraction": 0.25}
    settings["encoder"] = {"checkpoint": pretrained.id}
    with Catalog() as catalog:
        run = catalog.run(prepare_run(config.parse(settings)))
    taken = config.parse(config.read_yaml(run.config))
    assert taken.encoder.d_model == 16 and taken.data.step_hours == 2 and taken.data.max_hours == 24
    assert (run.folder / "coding.yaml").read_text() == (pretrained.folder / "coding.yaml").read_text()


def test_what_does_not_fit_is_named(folder: Path, pretrained: RunRow, tmp_path: Path) -> None:
    def prepare(**blocks: Any) -> None:
        encoder = {"checkpoint": pretrained.id, **blocks.pop("encoder", {})}
        prepare_run(config.parse(labelled(folder, encoder=encoder, **blocks)))

    with pytest.raises(ConfigError, match=r"encoder.d_model is 32 here and 16 there"):
        prepare(encoder={"d_model": 32})
    settings = labelled(folder)
    settings["encoder"] = {"name": "gru", "checkpoint": pretrained.id}
    with pytest.raises(ConfigError, match=r"encoder.name is gru here and transformer there"):
        prepare_run(config.parse(settings))
    with pytest.raises(ConfigError, match=r"data.step_hours is 1 here and 2 there"):
        prepare(data={"parts": ["set-a"], "step_hours": 1.0})
    bare = tmp_path / "weights.pt"
    torch.save(origin_of(pretrained.id).weights, bare)
    run = prepare_run(config.parse(labelled(folder, encoder={"checkpoint": str(bare), "d_model": 32})))
    with pytest.raises(ModelError, match=r"half_life|features.weight is 16 x .* there and 32 x .* here"):
        execute(run)


def test_hostile_and_broken_files_are_refused(folder: Path, pretrained: RunRow, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("executed",))

    good = (pretrained.folder / "encoder.safetensors").read_bytes()
    files: dict[str, bytes] = {
        "evil.pt": pickle.dumps({"state_dict": Evil()}), "empty.safetensors": b"", "cut.safetensors": good[:2000],
        "long.safetensors": (2**60).to_bytes(8, "little") + b"{}", "text.ckpt": b"hello", "dir.safetensors": good[:4],
        "tampered.safetensors": good.replace(b"step_hours: 2.0", b"step_hours: -2."),
    }  # fmt: skip
    torch.save({"state_dict": {"encoder.half_life": torch.full((3,), torch.nan)}}, tmp_path / "nan.pt")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.pt").mkdir()
    for name in [*files, "nan.pt", "absent.pt", "folder.pt"]:
        with pytest.raises(ModelError) as told:
            origin_of(str(tmp_path / name))
        assert told.value.mend and "rror" not in str(told.value), name  # our words, not the reader's


def test_stays_of_the_pretraining_are_kept_out_of_the_test(folder: Path) -> None:
    everywhere = train(tree("pretraining", folder, trainer={"epochs": 1}))
    settings = labelled(
        folder, encoder={"checkpoint": everywhere.id}, data={"parts": ["set-a"], "test_parts": ["set-b"]}
    )
    with pytest.raises(DatasetError, match=r"30 of the 30 test stays are among those"):
        prepare_run(config.parse(settings))
    settings["data"]["allow_unlabelled_overlap"] = True
    with Catalog() as catalog:
        events = [event.message for event in catalog.events(prepare_run(config.parse(settings)))]
    assert any("no outcome was seen there" in event for event in events)
    settings = labelled(folder, data={"parts": ["set-a"], "test_parts": ["set-*"]})
    with pytest.raises(DatasetError, match="among those that are trained on"):
        prepare_run(config.parse(settings))


def test_fewer_labels_lie_within_more_of_them() -> None:
    from core.tasks.finetuning.preparing import fewer

    strata = (np.arange(400) % 8 == 0).astype(int)
    tenth, half = (set(fewer(np.arange(400), strata, share, 3).tolist()) for share in (0.1, 0.5))
    assert tenth <= half and len(tenth) == 40 and strata[sorted(tenth)].sum() == 5


def test_outcomes_that_are_no_such_kind_are_told(folder: Path) -> None:
    for task, words in (
        ({"targets": ["nothing"]}, "There are: In-hospital_death"), ({"targets": ["ward"]}, "not two"),
        ({"targets": ["fever", "shock"]}, "only where task.kind is multilabel"),
        ({"kind": "multilabel", "targets": ["ward"]}, "not both a 0 and a 1"),
        ({"class_weights": [1.0]}, "1 weights for 2 classes"),
    ):  # fmt: skip
        with pytest.raises((ConfigError, DatasetError), match=words):
            prepare_run(config.parse(labelled(folder, task=task)))


def test_outcomes_of_other_stays_are_told_with_both_names(tmp_path: Path) -> None:
    folder = make_stays(tmp_path, 30)
    (folder / "Outcomes-set-a.txt").write_text("RecordID,In-hospital_death\nA1,0\nA2,1\n")
    with pytest.raises(DatasetError, match=r"no stay has a value of In-hospital_death") as told:
        prepare_run(config.parse(tree("finetuning", folder)))
    assert "called 1000, 1001, 1002" in str(told.value) and "has A1, A2" in str(told.value)


def test_stays_are_trained_on_measured_published_and_predicted(folder: Path, tmp_path: Path, isocenter: Any) -> None:
    recipe, first = tmp_path / "recipe.yaml", tmp_path / "first.yaml"
    settings = tree("pretraining", folder, data={"parts": ["set-a"]})
    settings["training"] = settings.pop("trainer")
    first.write_text(yaml.safe_dump(settings))
    code, before, _ = isocenter("train", first, "training.epochs=1", "--json")
    assert code == 0 and before["state"] == "finished"
    recipe.write_text(yaml.safe_dump(labelled(folder, task={"mode": "full", "members": 2}, trainer={"epochs": 8})))
    code, trained, _ = isocenter(
        "train", recipe, f"encoder.checkpoint={before['run']}", "data.test_parts=[set-b]", "--json"
    )
    assert code == 0 and trained["state"] == "finished" and trained["metrics"]["test/auroc"] > 0.85
    unseen = make_stays(tmp_path / "unseen", 40, seed=7, first=9000, part="set-c")
    code, measured, _ = isocenter("evaluate", trained["run"], unseen, "--json")
    assert code == 0 and measured["metrics"]["test/auroc"] > 0.85 and len(measured["cases"]) == 40
    low, high = measured["intervals"]["test/auroc"]
    assert low <= measured["metrics"]["test/auroc"] <= high and measured["trained_on"] == 0
    hours = [of["hours"] for of in measured["by_hour"]]
    assert hours == [6, 12, 24] and measured["by_hour"][-1]["metrics"]["auroc"] == measured["metrics"]["test/auroc"]
    assert all(of["doubt"]["width"] > 0 and 0 <= of["doubt"]["held"] <= 1 for of in measured["by_hour"])
    _, own, _ = isocenter("evaluate", trained["run"], folder, "--split", "test", "--json")
    assert own["metrics"]["test/auroc"] == pytest.approx(trained["metrics"]["test/auroc"], abs=1e-5)
    _, seen, _ = isocenter("evaluate", trained["run"], folder, "--json")
    assert seen["trained_on"] == 45 and len(seen["cases"]) == 90
    code, published, _ = isocenter("models", "publish", trained["run"], "--name", "deaths", "--json")
    assert code == 0 and published["task"] == "finetuning"
    stay = next((unseen / "set-c").iterdir())
    code, answer, _ = isocenter("predict", stay, "--model", "deaths", "--out", tmp_path / "out", "--json")
    (one,) = answer["predictions"]
    case = next(case for case in measured["cases"] if case["case"] == stay.stem)
    assert code == 0 and one["probabilities"] == pytest.approx(case["probabilities"], abs=1e-5)
    assert one["interval"][0] <= one["probabilities"]["1"] <= one["interval"][1]
    assert one["course"][-1]["value"] == pytest.approx(one["probabilities"]["1"], abs=1e-5)
    assert {"HR", "SysABP"} <= set(one["contributions"]["variables"])
    assert re.search(r"AUROC on unseen stays: [01]\.\d\d after 6 h", one["course_note"])
    code, answer, _ = isocenter("predict", unseen, "--model", "deaths", "--out", tmp_path / "out", "--json")
    assert len(answer["predictions"]) == 40 and "course" not in answer["predictions"][0]
    assert (tmp_path / "out" / "unseen_stays.csv").read_text().count("\n") == 41
    code, _, err = isocenter("models", "publish", before["run"])
    assert code == 2 and "predicts no outcome by itself" in err


def test_odd_stays_are_predicted_and_told(folder: Path, tmp_path: Path, isocenter: Any) -> None:
    run = train(labelled(folder, trainer={"epochs": 1}))
    isocenter("models", "publish", run.id, "--name", "odd")
    odd = {
        "nothing": [("00:00", "Age", 60)], "single": [("00:00", "Weight", 80), ("00:10", "HR", 90)],
        "late": [("90:00", "HR", 90), ("95:00", "HR", 90)],
        "early": [("-1:00", "HR", 90), ("02:00", "HR", 95), ("01:00", "HR", 96)],
        "units": [(f"0{n}:00", "Temp", 99.5) for n in range(5)] + [("01:00", "Unknown", 3)],
    }  # fmt: skip
    told = {}
    for name, rows in odd.items():
        file = write_stay(tmp_path / f"{name}.txt", rows)
        code, answer, _ = isocenter("predict", file, "--model", "odd", "--out", tmp_path / "out", "--json")
        if name == "nothing":
            assert code == 2
            continue
        (one,) = answer["predictions"]
        assert code == 0 and 0 < one["probabilities"]["1"] < 1
        told[name] = {finding["code"] for finding in one["findings"]}
    assert "one-measurement" in told["single"] and {"negative-time", "out-of-order"} <= told["early"]
    assert {"late-measurements", "no-measurements"} <= told["late"]
    assert {"other-units", "unknown-variables"} <= told["units"]
    (tmp_path / "broken.txt").write_bytes(b"\x00\x01")
    code, _, err = isocenter("predict", tmp_path / "broken.txt", "--model", "odd", "--out", tmp_path)
    assert code == 2 and "broken.txt" in err
