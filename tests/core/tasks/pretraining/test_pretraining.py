"""Pretraining: every encoder with every objective, what is watched, and the encoder that is left in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import config, registry
from core.catalog import Catalog
from core.control import JobControl
from core.data.stays.batches import Draws, StayRows, train_loader
from core.data.stays.coding import fit_coding
from core.data.stays.grid import grid
from core.data.stays.read import read_stays
from core.errors import ConfigError, DatasetError, ModelError
from core.tasks.pretraining.encoders import origin_of
from core.tasks.pretraining.monitors import effective_rank, nearest, probe, spread
from core.tasks.pretraining.objective import hide
from core.tasks.pretraining.preparing import prepare
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stays(tmp_path_factory.mktemp("stays"))


@pytest.fixture
def rows(folder: Path) -> StayRows:
    stays = read_stays(folder)
    coding = fit_coding(stays, ["HR", "Lactate", "SysABP"], [], step_hours=2, max_hours=24, clip=5)
    return StayRows(coding, grid(coding, stays))


def small(name: str) -> Any:
    settings = {"d_model": 16, "dropout": 0.0, "layers": 1}
    return registry.part("encoder", name).model_validate(settings | ({"heads": 2} if name == "transformer" else {}))


@pytest.mark.parametrize("objective", sorted(registry.parts("objective")))
@pytest.mark.parametrize("encoder", sorted(registry.parts("encoder")))
def test_every_encoder_learns_by_every_objective(rows: StayRows, encoder: str, objective: str) -> None:
    torch.manual_seed(0)
    part: Any = registry.part("objective", objective)()
    network = part.build(small(encoder).build(3, rows.statics.shape[1]), 3)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    stays = rows.stays(torch.arange(len(rows)))
    draws = Draws(0, 0, 0, 0, len(rows), len(rows))
    network.eval()
    first = float(network(stays, draws)["loss"].detach())
    network.train()
    for step in range(40):
        loss = network(stays, draws._replace(step=step))["loss"]
        optimizer.zero_grad()
        loss.backward()
        # Processes that share a run wait for the gradient of each parameter.
        assert all(p.grad is not None for p in network.parameters() if p.requires_grad)
        optimizer.step()
        network.after_step(step / 40)
    network.eval()
    assert float(network(stays, draws)["loss"].detach()) < 0.9 * first


def test_hidden_cells_leave_no_trace_in_what_the_encoder_sees(rows: StayRows) -> None:
    torch.manual_seed(0)
    encoder = small("transformer").build(3, rows.statics.shape[1]).eval()
    stays = rows.stays(torch.arange(8))
    hidden = hide(stays, Draws(0, 0, 0, 0, 8, 8), 0.5, (1, 1, 1))
    changed = stays._replace(values=torch.where(hidden & stays.observed, 99.0, stays.values))
    seen = [encoder(batch.with_cells(batch.observed & ~hidden)) for batch in (stays, changed)]
    assert torch.equal(seen[0].steps, seen[1].steps) and torch.equal(seen[0].stay, seen[1].stay)


@pytest.mark.parametrize("name", sorted(registry.parts("encoder")))
def test_padding_changes_no_answer(rows: StayRows, name: str) -> None:
    torch.manual_seed(0)
    encoder = small(name).build(3, rows.statics.shape[1]).eval()
    shortest = torch.argsort(rows.lengths)[:4]
    alone, longer = rows.stays(shortest), rows.stays(shortest, 12)
    assert longer.padding.any(dim=0)[-1]
    torch.testing.assert_close(encoder(alone).stay, encoder(longer).stay, atol=1e-5, rtol=1e-5)


def test_the_part_that_is_hidden_is_what_was_asked_for(rows: StayRows) -> None:
    stays = rows.stays(torch.arange(len(rows)))
    hidden = hide(stays, Draws(0, 0, 0, 0, len(rows), len(rows)), 0.15, (0.5, 0.25, 0.25))
    there = ~stays.padding[..., None].expand_as(hidden)
    assert not hidden[~there].any() and float(hidden[there].float().mean()) == pytest.approx(0.15, abs=0.03)


def test_a_run_logs_its_monitors_and_leaves_its_encoder(folder: Path) -> None:
    run = execute(prepare_run(config.parse(tree("pretraining", folder, task={"probe_every": 2}))))
    assert run.state == "finished"
    with Catalog() as catalog:
        keys = {point.key for point in catalog.metrics(run.id)}
        assert [point.epoch for point in catalog.metrics(run.id, key="val/probe_auroc")] == [1]
    assert {"train/value_loss", "val/presence_loss", "val/embedding_std", "val/embedding_rank"} <= keys
    assert {"lr", "val/probe_auroc", "val/probe_auprc", "val/knn_auroc", "val/knn_auprc"} <= keys
    by_run, by_file = origin_of(run.id), origin_of(str(run.folder / "encoder.safetensors"))
    assert by_file.card is not None and by_run.card == by_file.card and by_file.card.objective == "mae"
    assert all(torch.equal(by_run.weights[name], by_file.weights[name]) for name in by_run.weights)
    assert by_file.overlap(read_stays(folder)).all()
    kept = np.load(run.folder / "previews" / "epoch_0002.npz")
    cells = kept["observed"] & ~np.isnan(kept["values"])
    assert kept["hidden"].any() and kept["values"][cells].max() > 60  # in the variables' own units


def test_the_same_seed_trains_the_same_encoder(folder: Path) -> None:
    weights = [
        origin_of(execute(prepare_run(config.parse(tree("pretraining", folder, trainer={"epochs": 1})))).id).weights
        for _ in range(2)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_coding_is_fitted_to_training_stays_alone(folder: Path, tmp_path: Path) -> None:
    ready = prepare(config.parse(tree("pretraining", folder)), JobControl())
    import json

    for name in json.loads(ready.files["split.json"])["val"]:  # one stay of the validation is made absurd
        source, stay = name.split("/")
        other = tmp_path / source / f"{stay}.txt"
        other.parent.mkdir(exist_ok=True)
        other.write_text((folder / source / f"{stay}.txt").read_text().replace(",HR,", ",SysABP,"))
    for file in folder.rglob("*.txt"):
        place = tmp_path / file.relative_to(folder)
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_text(file.read_text())
    changed = prepare(config.parse(tree("pretraining", tmp_path)), JobControl())
    assert changed.files["coding.yaml"] == ready.files["coding.yaml"]


def test_what_a_pretraining_cannot_work_on_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stays are chosen"):
        prepare_run(config.parse({"task": {"name": "pretraining"}}))
    with pytest.raises(DatasetError, match="no such file"):
        prepare_run(config.parse(tree("pretraining", tmp_path / "nothing")))
    with pytest.raises(DatasetError, match="There are 5 stays; at least 20"):
        prepare_run(config.parse(tree("pretraining", make_stays(tmp_path / "few", 5))))
    make_stays(tmp_path / "two", 5)
    make_stays(tmp_path / "two", 5, part="set-b", first=5000)
    with pytest.raises(DatasetError, match=r"no part of the data is called set-z"):
        prepare_run(config.parse(tree("pretraining", tmp_path / "two", data={"parts": ["set-z"]})))
    with pytest.raises(ModelError, match="is no run and no file"):
        prepare_and_fit(tree("pretraining", folder, encoder={"checkpoint": "nothing"}))


def prepare_and_fit(settings: dict[str, Any]) -> None:
    execute(prepare_run(config.parse(settings)))


def test_batches_waste_little_on_padding() -> None:
    from core.data.stays.batches import batches_of, waste

    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 49, 3000)
    batches = batches_of(lengths, np.arange(3000), 64, rng)
    assert waste(lengths, batches) < 0.15 and waste(lengths, np.split(rng.permutation(3000)[:2944], 46)) > 0.4
    assert {len(batch) for batch in batches} == {64} and len(set(np.concatenate(batches).tolist())) == 46 * 64


def test_an_epoch_takes_no_stay_twice_and_another_order_each_time(rows: StayRows) -> None:
    loader = train_loader(rows, np.arange(len(rows)), 16, seed=0)
    orders = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        orders.append([int(row) for batch in loader for row in batch.rows])
    assert len(set(orders[0])) == len(orders[0]) == len(rows) // 16 * 16
    assert set(orders[0]) != set(orders[1])  # what an epoch leaves out, another one takes


def test_monitors_tell_collapse_from_health() -> None:
    rng = np.random.default_rng(0)
    healthy, line = rng.normal(size=(500, 16)), np.outer(rng.normal(size=500), rng.normal(size=16))
    assert spread(healthy) > 0.9 and effective_rank(healthy) > 14
    assert spread(np.ones((500, 16)) + 1e-6 * healthy) < 1e-3 and effective_rank(line) == pytest.approx(1, abs=0.01)
    outcome = (healthy[:, 0] > 0.8).astype(float)
    outcome[:50] = -1
    assert probe(healthy[:300], outcome[:300], healthy[300:], outcome[300:])["auroc"] > 0.95
    assert nearest(healthy[:300], outcome[:300], healthy[300:], outcome[300:])["auroc"] > 0.8
    assert probe(healthy, np.zeros(500), healthy, outcome) == nearest(healthy, np.zeros(500), healthy, outcome) == {}
