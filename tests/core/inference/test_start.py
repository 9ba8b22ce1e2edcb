"""Starting from weights: what is taken over, what is refused, and what is recorded of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import config
from core.catalog import Catalog, RunRow
from core.data.dataset import inspect
from core.data.split import draw, load_split, with_fewer_labels
from core.errors import ConfigError, DatasetError, IsocenterError, ModelError
from core.inference import start
from core.inference.assemble import Facts, assemble
from core.inference.card import card_text
from core.inference.kinds import find_model
from core.inference.publish import publish
from core.inference.start_weights import head_of
from core.tasks.segmentation.session import session
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from core.training.origin import SEEN, check_overlap, start_of
from tests.core.making import make_dataset, tiny_experiment
from tests.core.tasks.volume_pretraining.making import make_scans, pretraining


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data", cases=8)


@pytest.fixture
def pretrained(tmp_path: Path) -> RunRow:
    return execute(prepare_run(pretraining(make_scans(tmp_path / "scans"), trainer={"epochs": 1})))


def segmentation(folder: Path, start_from: str | Path | None, **more: Any) -> Any:
    tree = config.to_tree(tiny_experiment(folder, epochs=1, precision="32"))
    tree["task"]["start_from"] = None if start_from is None else str(start_from)
    tree["data"]["test_fraction"] = 0.25
    for key, value in more.items():
        block, _, name = key.partition("__")
        tree[block][name] = value
    return config.parse(tree)


def first_weights(experiment: Any) -> tuple[RunRow, dict[str, torch.Tensor]]:
    """A prepared run and the weights that its network begins with."""
    from core.control import JobControl

    run_id = prepare_run(experiment)
    with Catalog() as catalog:
        run = catalog.run(run_id)
    torch.manual_seed(0)
    planned = config.load(run.folder / "experiment.yaml")
    return run, dict(session(planned, run, JobControl()).module.network.state_dict())


def events(run: RunRow) -> list[str]:
    with Catalog() as catalog:
        return [event.message for event in catalog.events(run.id)]


def best(run: RunRow) -> Path:
    with Catalog() as catalog:
        row = catalog.checkpoint(run.id, "best")
    assert row is not None
    return row.path


def test_all_but_the_head_is_taken_from_a_run(dataset: Path, pretrained: RunRow) -> None:
    run, begun = first_weights(segmentation(dataset, pretrained.id))
    _, random = first_weights(segmentation(dataset, None))
    given = load_weights(best(pretrained))
    for name, value in begun.items():
        if name.startswith("output_block"):
            assert torch.equal(value, random[name])
        else:
            assert torch.equal(value, given[name])
            assert value.ndim == 1 or not torch.equal(value, random[name])
    assert "tensors are those of the run pre; begun anew: output_block." in " ".join(events(run))


@pytest.mark.parametrize("form", ["model", "folder", "safetensors", "checkpoint", "name"])
def test_every_form_of_a_start_gives_the_same_weights(dataset: Path, pretrained: RunRow, form: str) -> None:
    from core.tasks.volume_pretraining.kind import PretrainedModels

    package: Any = PretrainedModels().publish(pretrained, name="start")
    texts = {
        "model": "start", "folder": package.folder, "safetensors": package.folder / "weights.safetensors",
        "checkpoint": best(pretrained), "name": "pre",
    }  # fmt: skip
    run, begun = first_weights(segmentation(dataset, texts[form]))
    given = load_weights(best(pretrained))
    assert all(torch.equal(begun[name], given[name]) for name in begun if not name.startswith("output_block"))
    assert not any("not known" in text for text in events(run))


def test_training_goes_on_from_the_start_and_the_package_says_so(dataset: Path, pretrained: RunRow) -> None:
    run = execute(prepare_run(segmentation(dataset, "pre")))
    assert run.state == "finished"
    package = publish(run.id)
    assert package.manifest.training.started_from == "the run pre."
    assert "It began with the weights of the run pre." in card_text(package)
    # Its own scans and those of the start: 6 here, 6 there, without the test part.
    assert len(package.manifest.training.seen or ()) == 12
    assert config.load_tree(package.folder / "experiment.yaml")["task"]["start_from"] == "pre"


def test_a_run_that_is_gone_on_with_keeps_what_it_learned(dataset: Path, pretrained: RunRow) -> None:
    from core.control import JobControl

    experiment = segmentation(dataset, "pre")
    run = execute(prepare_run(experiment))
    best(pretrained).unlink()  # not needed any more
    torch.manual_seed(0)
    session(experiment, run, JobControl())


def test_settings_that_are_left_empty_are_those_of_the_start(dataset: Path, pretrained: RunRow) -> None:
    experiment = segmentation(dataset, "pre", model__channels=None, data__spacing_mm=None)
    run, _ = first_weights(experiment)
    assert config.load(run.folder / "experiment.yaml").model.channels == [4, 8, 8]


def test_another_network_is_refused_by_the_names_of_what_differs(dataset: Path, pretrained: RunRow) -> None:
    with pytest.raises(ModelError, match=r"4 x 4 x 3 x 3 x 3 there and 6 x 6 .* here.*model.channels=\[4, 8, 8\]"):
        prepare_run(segmentation(dataset, "pre", model__channels=[6, 12, 12]))
    other = config.parse(config.to_tree(segmentation(dataset, "pre")) | {"model": {"name": "segresnet"}})
    with pytest.raises(ConfigError, match=r"a unet, and the network is a segresnet"):
        prepare_run(other)
    with Catalog() as catalog:
        assert [run.name for run in catalog.runs()] == ["pre"]  # nothing was begun


def test_test_cases_that_the_start_has_seen_are_refused_unless_that_is_allowed(dataset: Path) -> None:
    execute(prepare_run(pretraining(dataset, trainer={"epochs": 1})))
    with pytest.raises(DatasetError, match=r"2 of the 2 test cases were in the training of the run pre"):
        prepare_run(segmentation(dataset, "pre"))
    run = execute(prepare_run(segmentation(dataset, "pre", task__allow_overlap=True)))
    assert any("may flatter" in text for text in events(run))
    with Catalog() as catalog:
        row = catalog.checkpoint(run.id, "best")
    package = assemble(run, row, run.folder / "package", name="one", version="1", facts=Facts())
    assert "2 of the 2 test cases were in the training" in package.manifest.training.started_from


def test_an_image_is_known_again_by_its_content_in_another_file_of_another_name(dataset: Path, tmp_path: Path) -> None:
    import nibabel as nib

    scans = make_scans(tmp_path / "scans", 4)
    for image in (dataset / "images").iterdir():
        nib.save(nib.load(image), scans / image.name.replace("ball", "other").replace(".gz", ""))
    execute(prepare_run(pretraining(scans, data={"val_fraction": 0.1}, trainer={"epochs": 1})))
    with pytest.raises(DatasetError, match="test cases were in the training"):
        prepare_run(segmentation(dataset, "pre"))


def test_the_same_seed_and_share_leave_the_test_part_out(dataset: Path) -> None:
    experiment = pretraining(dataset, data={"test_fraction": 0.25}, trainer={"epochs": 1})
    execute(prepare_run(experiment))
    assert execute(prepare_run(segmentation(dataset, "pre"))).state == "finished"


def test_what_a_start_of_a_start_has_seen_counts_too(dataset: Path, tmp_path: Path) -> None:
    execute(prepare_run(pretraining(dataset, trainer={"epochs": 1})))
    tree = config.to_tree(segmentation(make_dataset(tmp_path / "more", cases=6, size=18), "pre"))
    middle = execute(prepare_run(config.parse(tree | {"name": "middle"})))
    with pytest.raises(DatasetError, match="test cases were in the training of the run middle"):
        prepare_run(segmentation(dataset, middle.name))


def test_a_file_of_unknown_making_is_taken_with_a_warning(dataset: Path, pretrained: RunRow, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.pt"
    torch.save({"state_dict": {f"module.{k}": v.half() for k, v in load_weights(best(pretrained)).items()}}, foreign)
    run, begun = first_weights(segmentation(dataset, foreign))
    assert any("looked for not at all" in text for text in events(run))
    assert begun["input_block.conv1.conv.weight"].dtype == torch.float32
    assert not (run.folder / SEEN).exists()


def test_an_encoder_alone_is_a_start(dataset: Path, pretrained: RunRow, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = {k: v for k, v in load_weights(best(pretrained)).items() if k.startswith(("input_block", "downsamples"))}
    save_file({name: value.contiguous().clone() for name, value in weights.items()}, tmp_path / "encoder.safetensors")
    run, begun = first_weights(segmentation(dataset, tmp_path / "encoder.safetensors"))
    assert all(torch.equal(begun[name], value) for name, value in weights.items())
    assert "begun anew: bottleneck, upsamples, output_block" in " ".join(events(run))


class _Hostile:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ckpt", pickle.dumps(_Hostile()), "not plain data"),
        ("a.pt", b"PK torn", "not plain data"),
        ("a.safetensors", b"\xff" * 64, "not readable"),
        ("a.safetensors", b"", "not readable"),
        ("a.pth", None, "no such file"),
    ],
)
def test_hostile_and_damaged_files_are_refused(
    dataset: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        prepare_run(segmentation(dataset, tmp_path / name))


def test_tensors_that_are_no_numbers_partial_or_foreign_are_refused(
    dataset: Path, pretrained: RunRow, tmp_path: Path
) -> None:
    weights = load_weights(best(pretrained))
    first = "input_block.conv1.conv.weight"
    for changed, said in (
        ({**weights, first: weights[first] * float("nan")}, "not numbers"),
        ({name: value for name, value in weights.items() if name != first}, f"{first} is missing"),
        ({**weights, "extra.weight": torch.zeros(3)}, "extra.weight is not part of it"),
        ({"a": torch.zeros(2)}, "a is not part of it"),
    ):
        torch.save(changed, tmp_path / "changed.pt")
        with pytest.raises(ModelError, match=said):
            prepare_run(segmentation(dataset, tmp_path / "changed.pt"))


def test_a_start_that_is_changed_before_the_run_begins_is_refused(dataset: Path, pretrained: RunRow) -> None:
    run_id = prepare_run(segmentation(dataset, "pre"))
    torch.save({"state_dict": {}}, best(pretrained))
    with pytest.raises(ModelError, match="damaged or were changed"):
        execute(run_id)


def test_what_is_no_start_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no run, no model and no file of weights"):
        prepare_run(segmentation(dataset, "nothing"))
    run_id = prepare_run(pretraining(make_scans(tmp_path / "scans")))
    with pytest.raises(ModelError, match="no checkpoint to start from"):
        prepare_run(segmentation(dataset, run_id))


@pytest.mark.parametrize(
    "model",
    [
        {"name": "unet", "channels": [4, 8, 8], "deep_supervision": True},
        {"name": "segresnet", "width": 8},
        {"name": "swinunetr", "width": 12},
        {"name": "dformer", "width": 24},
        {"name": "unetr"},
    ],
    ids=lambda model: model["name"],
)
def test_the_head_of_every_network_is_its_last_layer(model: dict[str, Any]) -> None:
    part = config.parse({"model": model}).model
    head = head_of(part, 1)
    names = set(part.build(1, 2).state_dict()) if model["name"] == "unet" else None
    assert 1 <= len(head) <= 6
    assert names is None or head == {n for n in names if n.startswith(("output_block", "coarse"))}


def test_cross_validation_starts_each_fold_from_the_weights(dataset: Path, pretrained: RunRow) -> None:
    from core.training import cross_validation

    experiment = segmentation(dataset, "pre", data__label_fraction=0.5)
    runs = cross_validation.prepare(experiment, 2).train(only=[0])
    assert runs[0].state == "finished" and start_of(runs[0].folder) is not None
    assert len(load_split(runs[0].folder)["train"]) == 2


def test_fewer_labels_are_drawn_by_the_seed_and_leave_the_other_parts_alone(dataset: Path) -> None:
    found = inspect(dataset)
    whole = draw(found, val_fraction=0.25, test_fraction=0.25, seed=3)
    parts = {share: with_fewer_labels(found, whole, share, 3) for share in (0.01, 0.5, 1.0)}
    assert [len(part.train) for part in parts.values()] == [1, 2, 4]
    assert set(parts[0.01].train) <= set(parts[0.5].train) <= set(whole.train)
    assert all(part.val == whole.val and part.test == whole.test for part in parts.values())
    assert with_fewer_labels(found, whole, 0.5, 4).train != parts[0.5].train or whole.train == []
    run = prepare_run(segmentation(dataset, None, data__label_fraction=0.5))
    with Catalog() as catalog:
        assert len(load_split(catalog.run(run).folder)["train"]) == 2


def test_cases_of_a_model_that_keeps_only_names_are_known_by_them(dataset: Path) -> None:
    origin = start.find("hippocampus")
    assert origin.seen is None and "hippocampus_001" in origin.names
    one, other = min(origin.names), "hippocampus_999"
    with pytest.raises(DatasetError, match=f"1 of the 2 test cases have the names of .*{one}"):
        check_overlap(origin, {one: "a", other: "b"}, allowed=False)
    assert check_overlap(origin, {other: "b"}, allowed=False) == []
    assert len(check_overlap(origin, {one: "a"}, allowed=True)) == 1


def test_a_model_of_another_task_is_no_start(dataset: Path) -> None:
    with pytest.raises(IsocenterError, match="no run, no model"):
        prepare_run(segmentation(dataset, find_model("hippocampus").name + "-9.9"))


def test_a_swin_encoder_is_pretrained_and_started_from(tmp_path: Path) -> None:
    model = {"name": "swinunetr", "width": 12, "window": 4}
    data = {"patch_size": [64, 32, 32], "augment": {"rotate_deg": 0, "scale": 0, "intensity": 0}}
    scans = make_scans(tmp_path / "scans", 3, size=40)
    tree = config.to_tree(pretraining(scans, trainer={"epochs": 1})) | {"model": model}
    tree["data"] |= data
    execute(prepare_run(config.parse(tree)))
    tree = config.to_tree(segmentation(make_dataset(tmp_path / "data", cases=4, size=40), "pre")) | {"model": model}
    tree["data"] |= data
    run, begun = first_weights(config.parse(tree))
    with Catalog() as catalog:
        given = load_weights(best(catalog.run("pre")))
    swin = [name for name in begun if name.startswith("swinViT.")]
    assert len(swin) > 50 and all(torch.equal(begun[name], given[name]) for name in swin)
    assert "begun anew: out." in " ".join(events(run))
