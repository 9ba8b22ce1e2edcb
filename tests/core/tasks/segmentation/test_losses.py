from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.losses import DiceCELoss, DiceLoss, TverskyLoss
from torch import Tensor
from torch.nn import functional

from core import config, registry
from core.data.plan import IGNORED, Label, Plan
from core.errors import ConfigError
from core.tasks.segmentation.loss_terms import build_loss, class_weights

LOSSES = sorted(registry.parts("loss"))
MONAI: dict[str, Any] = {
    "include_background": False, "to_onehot_y": True, "softmax": True, "batch": True, "smooth_nr": 1e-5,
    "smooth_dr": 1e-5,
}  # fmt: skip


def task(**settings: Any) -> Any:
    return config.parse({"task": {"name": "segmentation", **settings}}).task


def plan(**changes: Any) -> Plan:
    labels = [Label(value=value, name=f"Label {value}") for value in (1, 2)]
    return Plan(spacing_mm=(1, 1, 1), patch_size=(8, 8, 8), labels=labels, **changes)


def a_batch() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    logits = torch.randn((2, 3, 8, 6, 4), generator=draw)
    return logits, torch.randint(0, 3, (2, 1, 8, 6, 4), generator=draw).to(torch.uint8)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("dice", DiceLoss(**MONAI)),
        ("dice_ce", DiceCELoss(**MONAI)),
        ("tversky", TverskyLoss(**MONAI, alpha=0.3, beta=0.7)),
        ("ce", lambda logits, target: functional.cross_entropy(logits, target[:, 0].long())),
    ],
)
def test_value_is_that_of_the_field(name: str, peer: Any) -> None:
    logits, target = a_batch()
    assert float(build_loss(task(loss=name), plan())(logits, target)) == pytest.approx(
        float(peer(logits, target)), 1e-5
    )


def test_focal_loss_plays_down_easy_voxels() -> None:
    logits, target = a_batch()
    probability = torch.softmax(logits, 1).gather(1, target.long())[:, 0]
    expected = (-((1 - probability) ** 2) * probability.log()).mean()
    assert float(build_loss(task(loss="focal"), plan())(logits, target)) == pytest.approx(float(expected), 1e-5)
    plain = {"name": "focal", "gamma": 0}
    ce = build_loss(task(loss="ce"), plan())(logits, target)
    assert float(build_loss(task(loss=plain), plan())(logits, target)) == pytest.approx(float(ce))


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_voxels_change_neither_loss_nor_gradient(name: str) -> None:
    loss = build_loss(task(loss=name, ignore_label=9), plan(ignore_label=9))
    logits, target = a_batch()
    target[:, :, 4:] = IGNORED
    other = logits.clone()
    other[:, :, 4:] += 5 * torch.randn_like(other[:, :, 4:])
    assert float(loss(logits, target)) == pytest.approx(float(loss(other, target)), 1e-5)
    assert float(loss(logits, target)) == pytest.approx(float(loss(logits[:, :, :4], target[:, :, :4])), 1e-5)
    logits.requires_grad_()
    loss(logits, target).backward()
    assert logits.grad is not None and not logits.grad[:, :, 4:].any() and logits.grad[:, :, :4].any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_patch_with_nothing_to_learn_is_no_nan(name: str) -> None:
    logits, target = a_batch()
    logits.requires_grad_()
    loss = build_loss(task(loss=name), plan(ignore_label=9))(logits, torch.full_like(target, IGNORED))
    loss.backward()
    assert torch.isfinite(loss) and logits.grad is not None and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_of_weight_zero_does_not_count(name: str) -> None:
    loss = build_loss(task(loss=name, class_weights=[1.0, 1.0, 0.0]), plan())
    target = torch.zeros((2, 1, 8, 6, 4), dtype=torch.uint8)
    target[:, :, :4] = 2
    target[:, :, 6:] = 1
    certain = 20.0 * functional.one_hot(target[:, 0].long(), 3).movedim(-1, 1).float()
    wrong = certain.clone()
    wrong[:, :, :4] = 0.0  # unsure of the third class's voxels
    assert float(loss(wrong, target)) - float(loss(certain, target)) < 0.6
    full = build_loss(task(loss=name), plan())
    assert float(full(wrong, target)) - float(full(certain, target)) > float(loss(wrong, target)) - float(
        loss(certain, target)
    )


def test_balanced_weights_are_the_inverse_of_the_shares_with_mean_one() -> None:
    weights = class_weights(task(balance_classes=True), plan(class_shares=[0.9, 0.09, 0.01]))
    assert weights is not None and float(weights.mean()) == pytest.approx(1)
    assert (weights * torch.tensor([0.9, 0.09, 0.01])).std() < 1e-6


def test_deep_supervision_halves_the_weight_of_each_coarser_head() -> None:
    loss = build_loss(task(), plan())
    heads = [torch.randn(1, 3, n, n, n) for n in (8, 4, 2)]
    target = torch.randint(0, 3, (1, 1, 8, 8, 8)).to(torch.uint8)
    parts = [
        float(loss(head, target[:, :, :: 8 // n, :: 8 // n, :: 8 // n]))
        for n, head in zip((8, 4, 2), heads, strict=True)
    ]
    assert float(loss(heads, target)) == pytest.approx((parts[0] + parts[1] / 2 + parts[2] / 4) / 1.75, 1e-5)


def test_a_loss_is_named_in_one_word_or_with_its_settings() -> None:
    assert task(loss="focal") == task(loss={"name": "focal"}) == task(loss={"name": "focal", "gamma": 2})
    assert task() == task(loss="dice_ce")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "dise"}, "task.loss must be one of"),
        ({"loss": {"name": "focal", "gama": 1}}, "task.loss.gama is not a known key .did you mean gamma"),
        ({"loss": {"name": "dice_ce", "dice_weight": 0, "ce_weight": 0}}, "above 0"),
        ({"class_weights": [1, -1, 1]}, "positive"),
        ({"class_weights": [1, 1, 1], "balance_classes": True}, "must be off"),
        ({"target_label": 2, "ignore_label": 2}, "trained and ignored"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(**settings)


def regions_plan(**changes: Any) -> Plan:
    labels = [Label(value=1, name="whole", covers=[1, 2]), Label(value=2, name="core", covers=[2])]
    return Plan(spacing_mm=(1, 1, 1), patch_size=(8, 8, 8), labels=labels, **changes)


def test_value_for_regions_is_that_of_the_field_for_sigmoid_outputs() -> None:
    logits, target = a_batch()
    logits = logits[:, :2]
    truth = torch.cat([target > 0, target == 2], 1).float()
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)(logits, truth)
    bce = functional.binary_cross_entropy_with_logits(logits, truth)
    for name, value in (("dice", dice), ("ce", bce), ("dice_ce", dice + bce)):
        assert float(build_loss(task(loss=name), regions_plan())(logits, target)) == pytest.approx(float(value), 1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_voxels_change_no_loss_of_regions(name: str) -> None:
    loss = build_loss(task(loss=name), regions_plan(ignore_label=9))
    logits, target = a_batch()
    logits = logits[:, :2]
    target[:, :, 4:] = IGNORED
    assert float(loss(logits, target)) == pytest.approx(float(loss(logits[:, :, :4], target[:, :, :4])), 1e-5)
    assert torch.isfinite(loss(logits, torch.full_like(target, IGNORED)))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_of_regions_can_be_brought_down_on_one_batch(name: str) -> None:
    loss = build_loss(task(loss=name), regions_plan())
    logits, target = a_batch()
    free = torch.zeros_like(logits[:, :2], requires_grad=True)
    descent = torch.optim.Adam([free], lr=0.5)
    for _ in range(60):
        descent.zero_grad()
        loss(free, target).backward()
        descent.step()
    assert ((free > 0) == torch.cat([target > 0, target == 2], 1)).all()
