"""The networks that can be trained are listed with what they learn from, and shown with what they cost."""

from __future__ import annotations

import json

import pytest

from core import cli, registry
from core.models.describing import describe


def answer(capsys, *args):
    code = cli.main([*args])
    return code, capsys.readouterr().out


def test_networks_of_every_kind_are_listed(capsys):
    _, out = answer(capsys, "models", "list", "--networks", "--json")
    found = {(one["kind"], one["name"]) for one in json.loads(out)["networks"]}
    assert {("model", "unet"), ("risk_model", "swin_fusion"), ("table_model", "mlp")} <= found


def test_the_risk_network_sees_the_patches_it_was_asked_to(capsys):
    code, out = answer(capsys, "models", "show", "swin_fusion", "--json")
    assert code == 0 and json.loads(out)["patches"] == [22, 30, 22]


@pytest.mark.parametrize("name", registry.parts("model"))
def test_what_a_network_for_scans_costs_is_counted_and_not_computed(name):
    model = registry.part("model", name)()
    found = describe(model, (64, 64, 64))
    assert found.parameters == sum(p.numel() for p in model.build(1, 3).parameters())
    assert found.forward_flops > 1e8 and found.kept_bytes > 1e6


def test_a_model_of_the_name_of_a_preset_is_shown_by_its_card(capsys):
    _, out = answer(capsys, "models", "show", "hippocampus")
    assert out.startswith("# Hippocampus")
