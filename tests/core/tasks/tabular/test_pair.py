"""Two networks side by side: one judged by the validation rows, and one that has learned from them and is kept."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
import yaml

from core import cli, config
from core.catalog import Catalog
from core.tasks.tabular.data import Rows, train_blocks
from core.tasks.tabular.module import TableModule
from core.tasks.tabular.pair import Pair, weights_of_part
from core.tasks.tabular.publishing import package_of
from tests.core.tasks.tabular.test_table_runs import run_cli, tree, write_table


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "home"))


def rows_of(count):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(count, 6)).astype(np.float32)
    target = (numbers[:, 0] + 0.3 * rng.normal(size=count) > 0).astype(np.int64)
    return Rows.of(numbers, np.zeros((count, 0), np.int64), target)


def fitted(experiment, network, train, whole=None):
    """The network after the experiment's epochs, its steps taken as Lightning would."""
    module = TableModule(experiment, network, train, None, 2, whole)
    optimizer = module.configure_optimizers()
    module.optimizers = lambda: type("Wrapped", (), {"optimizer": optimizer, "step": optimizer.step})
    epochs = experiment.trainer.epochs
    for epoch in range(epochs):
        type(module).current_epoch = property(lambda _self, epoch=epoch: epoch)
        blocks = train_blocks(len(train), experiment.trainer.batch_size, 0)
        blocks.sampler.set_epoch(epoch)
        for block, batch in enumerate(blocks):
            module.training_step(batch, block)
    return network


def test_each_of_a_pair_learns_as_it_would_alone(monkeypatch):
    monkeypatch.setattr(TableModule, "current_epoch", 0)
    settings = {"task": "tabular", "model": {"name": "mlp", "hidden": [8], "dropout": 0.0},
                "trainer": {"epochs": 2, "batch_size": 16}}  # fmt: skip
    experiment = config.parse(settings)
    torch.manual_seed(0)
    first, second = (experiment.model.build(6, [], 2) for _ in range(2))
    alone = [fitted(experiment, copy.deepcopy(one), rows_of(200)) for one in (first, second)]
    pair = fitted(experiment, Pair(first, second), rows_of(200), (rows_of(200), 0))
    for one, other in zip(alone, (pair.judged, pair.kept), strict=True):
        for name, tensor in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[name], tensor)


def test_the_second_takes_every_row_in_an_epoch_though_it_has_more(monkeypatch):
    monkeypatch.setattr(TableModule, "current_epoch", 0)
    settings = {"task": "tabular", "model": {"name": "mlp", "hidden": [4]}, "trainer": {"epochs": 1, "batch_size": 10}}
    experiment = config.parse(settings)
    pair = Pair(*(experiment.model.build(6, [], 2) for _ in range(2)))
    taken, loss = [], TableModule.loss

    def kept(self, rows, network=None):
        if network is not None:
            taken.append(len(rows))
        return loss(self, rows, network)

    monkeypatch.setattr(TableModule, "loss", kept)
    fitted(experiment, pair, rows_of(70), (rows_of(93), 0))
    assert sum(taken) == 93 and len(taken) == 9


def test_a_model_of_all_rows_is_judged_by_a_network_that_did_not_see_them(tmp_path, capsys):
    table = write_table(tmp_path / "stays.csv")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(tree(table, test_fraction=0.0)))
    code, trained, err = run_cli(capsys, "train", recipe, "trainer.all_rows=true", "--json")
    assert code == 0, err
    with Catalog() as catalog:
        run = catalog.run(trained["run"])
    with package_of(run) as kept, package_of(run, part="judged") as judged:
        assert kept.manifest.sha256 != judged.manifest.sha256
        assert kept.manifest.training.cases == {"train": 120, "val": 0, "test": 0}
        assert judged.manifest.training.cases == {"train": 96, "val": 24, "test": 0}
        assert (kept.manifest.training.measured_on, judged.manifest.training.measured_on) == ("pair", "val")
        assert kept.manifest.training.figures == judged.manifest.training.figures
        assert kept.manifest.temperature == judged.manifest.temperature
    _, own, _ = run_cli(capsys, "evaluate", trained["run"], table, "--split", "val", "--json")
    assert own["metrics"]["test/auroc"] == pytest.approx(trained["metrics"]["val/auroc"], abs=1e-5)
    _, whole, _ = run_cli(capsys, "evaluate", trained["run"], table, "--json")
    assert (own["trained_on"], whole["trained_on"]) == (0, 120)
    code, _, _ = run_cli(capsys, "models", "publish", trained["run"], "--name", "deaths", "--json")
    assert code == 0
    code, _, err = run_cli(capsys, "evaluate", "deaths", table, "--split", "val")
    assert code == 2 and "val part is empty" in err
    _, listed, _ = run_cli(capsys, "models", "show", "deaths", "--json")
    assert "by a network that was trained without them" in json.dumps(listed)


def test_the_weights_of_one_are_those_of_the_pair_without_its_name():
    from safetensors.torch import load, save

    pair = Pair(torch.nn.Linear(2, 3), torch.nn.Linear(2, 3))
    both = save({name: tensor.contiguous() for name, tensor in pair.state_dict().items()})
    own = load(weights_of_part(both, "kept"))
    assert own.keys() == {"weight", "bias"} and torch.equal(own["weight"], pair.kept.weight)


def test_a_run_of_a_pair_goes_on_after_a_stop(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(tree(write_table(tmp_path / "stays.csv"))))
    _, trained, _ = run_cli(capsys, "train", recipe, "trainer.all_rows=true", "trainer.epochs=2", "--json")
    with Catalog() as catalog:
        run = catalog.run(trained["run"])
        tree_of = config.read_yaml(run.config)
        tree_of["trainer"]["epochs"] = 3
        catalog.update_run(run.id, state="stopped", config=yaml.safe_dump(tree_of), epochs=3)
    assert cli.main(["train", "--resume", run.id]) == 0
    with Catalog() as catalog:
        assert catalog.run(run.id).state == "finished" and catalog.run(run.id).epoch == 3
