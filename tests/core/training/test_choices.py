"""The planner's rules on made fingerprints: of abdominal CT, of thin stacks, of tiny data sets."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import config
from core.data.case import Case, CaseFacts
from core.data.dataset import Dataset
from core.data.plan import Label, Plan
from core.data.prepare import prepare
from core.errors import ConfigError, DatasetError
from core.imaging.volume import Finding, Source, Volume
from core.tasks.segmentation.preparing import planned
from core.training.machine import Machine
from core.training.planning import Proposal, propose

CPU = Machine("cpu", 8, 32 * 2**30, 24 * 2**30)
SMALL_CPU = Machine("cpu", 2, 4 * 2**30, 3 * 2**30)
GPU = Machine("cuda", 8, 24 * 2**30, 23 * 2**30)


def made(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], *, cases: int = 30, modality: str = "",
    values: tuple[float, float] = (0.0, 500.0), foreground: tuple[float, ...] = (100.0, 200.0, 300.0),
    lacking: tuple[int, ...] = (),
) -> Dataset:  # fmt: skip
    """A checked data set of equal cases with two structures, without any files."""
    voxels = math.prod(shape)
    facts = {
        f"case_{n:02d}": CaseFacts(
            shape, spacing, {v: voxels // 50 for v in (1, 2) if v not in lacking}, str(n), values, foreground
        )
        for n in range(cases)
    }
    none = Path("none")
    return Dataset(
        path=none, layout="images and labels", modality=modality,
        cases=tuple(Case(id, none, none, id) for id in facts),
        labels=(Label(value=1, name="One"), Label(value=2, name="Two")), facts=facts, findings=(),
    )  # fmt: skip


def abdomen(**more: Any) -> Dataset:
    return made(
        (512, 512, 120), (0.8, 0.8, 3.0), values=(-1024.0, 2000.0), foreground=(-50.0, 50.0, 100.0, 150.0), **more
    )


def plan(dataset: Dataset, machine: Machine, **blocks: dict[str, Any]) -> Proposal:
    return propose(config.parse({"name": "made", **blocks}), dataset, machine)


def test_thick_slices_are_halved_later_than_the_others() -> None:
    found = plan(abdomen(), GPU)
    model = found.experiment.model
    assert model.strides[0] == (2, 2, 1) and model.strides[-1] == (2, 2, 2)
    assert model.kernels()[0] == (3, 3, 1) and model.kernels()[-1] == (3, 3, 3)
    assert all(p % d == 0 for p, d in zip(found.plan.patch_size, model.divisor, strict=True))
    assert model.divisor[2] < model.divisor[0]
    choice = next(one for one in found.choices if one.key == "model.strides")
    assert "3 against 0.8 mm" in choice.reason and not choice.by_user


def test_even_voxels_leave_the_strides_alone() -> None:
    found = plan(made((160, 192, 160), (1.0, 1.0, 1.2)), GPU)
    assert found.experiment.model.strides is None
    assert "model.strides" not in [one.key for one in found.choices]


def test_strides_of_ones_own_are_kept() -> None:
    own = {"channels": [16, 32, 64], "strides": [[2, 2, 1], [2, 2, 1]]}
    model = plan(abdomen(), CPU, model=own).experiment.model
    assert model.strides == [(2, 2, 1), (2, 2, 1)] and model.divisor == (4, 4, 1)


def test_few_thick_slices_do_not_limit_the_resolutions_of_the_others() -> None:
    found = plan(made((320, 320, 20), (0.6, 0.6, 3.6)), GPU)
    model = found.experiment.model
    assert len(model.channels) >= 5 and found.plan.patch_size[2] >= 8
    assert sum(step[2] == 2 for step in model.strides) <= 2


@pytest.mark.parametrize("machine", [CPU, SMALL_CPU, GPU], ids=["cpu", "small", "gpu"])
@pytest.mark.parametrize(
    "dataset",
    [abdomen(), made((512, 512, 12), (0.6, 0.6, 8.0)), made((24, 20, 18), (1.0, 1.0, 1.0), cases=4)],
    ids=["abdomen", "thin", "tiny"],
)
def test_every_plan_is_one_that_the_planner_would_allow_a_person_to_set(dataset: Dataset, machine: Machine) -> None:
    first = plan(dataset, machine)
    again = propose(first.experiment, dataset, machine)
    assert again.plan == first.plan
    assert all(choice.by_user for choice in again.choices)
    assert all(choice.reason.endswith(".") for choice in first.choices)


def test_abdominal_ct_is_known_by_its_air_and_scaled_as_ct() -> None:
    found = plan(abdomen(), GPU)
    scale = found.plan.intensities
    assert scale is not None
    assert scale.low == pytest.approx(-50, abs=2) and scale.high == pytest.approx(150, abs=2)
    assert found.plan.spacing_mm == (0.8, 0.8, 3.0)


def test_a_patch_of_thick_slices_sees_about_as_far_along_each_axis() -> None:
    patch, spacing = plan(abdomen(), GPU).plan.patch_size, (0.8, 0.8, 3.0)
    reach = [n * mm for n, mm in zip(patch, spacing, strict=True)]
    assert patch[2] < patch[0] and max(reach) <= 1.5 * min(reach)


def test_a_gpu_gets_a_larger_patch_and_network_than_two_cores() -> None:
    large, small = (plan(abdomen(), machine, trainer={"max_minutes": 60}) for machine in (GPU, SMALL_CPU))
    assert math.prod(large.plan.patch_size) > 4 * math.prod(small.plan.patch_size)
    assert large.experiment.model.channels[0] > small.experiment.model.channels[0]


def test_a_thin_stack_keeps_its_few_slices_whole() -> None:
    found = plan(made((512, 512, 12), (0.6, 0.6, 8.0)), GPU)
    divisor = int(np.broadcast_to(found.experiment.model.divisor, 3)[2])
    assert found.plan.patch_size[2] <= math.ceil(12 / divisor) * divisor
    assert found.plan.patch_size[2] * 1.0 <= 2 * 12, "most of the patch would be padding"


def test_tiny_data_is_taken_whole_and_its_epochs_made_long_enough() -> None:
    found = plan(made((24, 20, 18), (1.0, 1.0, 1.0), cases=4), CPU)
    assert all(p >= n for p, n in zip(found.plan.patch_size, (24, 20, 18), strict=True))
    trainer = found.experiment.trainer
    assert 3 * trainer.patches_per_case / trainer.batch_size >= 50


def test_scans_of_another_modality_are_standardised_by_themselves() -> None:
    assert plan(made((64, 64, 64), (1.0, 1.0, 1.0), modality="MR"), CPU).plan.intensities is None


def test_ct_is_scaled_alike_whatever_else_is_in_the_scan() -> None:
    """Training and prediction prepare a scan by the same plan; a bright implant must not change the rest."""
    scale = plan(abdomen(), CPU).plan.model_copy(update={"spacing_mm": (1.0, 1.0, 1.0)})
    plain = np.random.default_rng(0).uniform(-100, 200, (20, 20, 20)).astype(np.float32)
    implant = plain.copy()
    implant[:4, :4, :4] = 30_000
    one, two = (prepared_by(scale, values) for values in (plain, implant))
    assert scale.intensities is not None
    np.testing.assert_array_equal(one[4:], two[4:])
    expected = (np.clip(plain, scale.intensities.low, scale.intensities.high) - scale.intensities.mean) / (
        scale.intensities.std
    )
    np.testing.assert_allclose(one, expected, atol=1e-5)


def prepared_by(plan: Plan, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return prepare(Volume(values, np.eye(4), Source(Path("made.nii"), "made")), plan).image[0]


def test_a_patch_beyond_the_machines_memory_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match=r"need about \d+ GB, more than the 4 GB") as refused:
        plan(abdomen(), SMALL_CPU, data={"patch_size": [256, 256, 96]}, trainer={"batch_size": 4})
    assert "leave them empty" in str(refused.value)


def test_a_class_that_no_case_has_is_not_learned() -> None:
    found = plan(abdomen(lacking=(2,)), CPU)
    assert [label.name for label in found.plan.labels] == ["One"]


def test_ct_whose_labelled_voxels_are_all_alike_has_no_scale() -> None:
    flat = made((64, 64, 64), (1.0, 1.0, 1.0), modality="CT", foreground=(7.0, 7.0))
    found = plan(flat, CPU)
    assert found.plan.intensities is None
    with pytest.raises(ConfigError, match="all have one value"):
        plan(flat, CPU, data={"intensities": "ct"})


def test_an_unusable_data_set_is_not_planned() -> None:
    few = made((32, 32, 32), (1.0, 1.0, 1.0), cases=1)
    broken = Dataset(**{**few.__dict__, "findings": (Finding("too-few", "error", "At least two cases are needed."),)})
    with pytest.raises(DatasetError, match="At least two cases"):
        planned(config.parse({"name": "made"}), broken)
    with pytest.raises(DatasetError, match="too few"):
        planned(config.parse({"name": "made"}), few)


def test_the_preset_of_the_bundled_model_leaves_nothing_to_the_planner() -> None:
    """Its recipe must not change with the planner: everything it was trained with is written down."""
    experiment = config.load("hippocampus")
    machines = [propose(experiment, made((35, 50, 36), (1.0, 1.0, 1.0)), machine) for machine in (CPU, SMALL_CPU, GPU)]
    assert machines[0].plan == machines[1].plan == machines[2].plan
    assert all(choice.by_user for choice in machines[0].choices)


@pytest.mark.parametrize(
    ("spacing", "told"), [(90.0, "too few to learn from"), (0.01, "more than the .* GB there are")]
)
def test_voxels_that_leave_nothing_or_fit_nowhere_are_refused(spacing: float, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(made((64, 64, 64), (1.0, 1.0, 1.0)), CPU, data={"spacing_mm": [spacing] * 3})


def test_a_network_is_planned_by_its_own_cost() -> None:
    """A patch that a light network may have is too large for a heavy one of the same machine."""
    sides = [
        math.prod(plan(abdomen(), SMALL_CPU, model={"name": name}).plan.patch_size) for name in ("dformer", "swinunetr")
    ]
    assert sides[0] > sides[1]


def test_channels_are_planned_for_strides_of_ones_own() -> None:
    model = plan(abdomen(), CPU, model={"strides": [[2, 2, 1], [2, 2, 2]]}).experiment.model
    assert len(model.channels) == 3 and model.build(1, 2) is not None
