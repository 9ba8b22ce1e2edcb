"""The experiment: the one description of a run, as a pydantic tree, a YAML file, a form and `key=value` overrides."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator

from core import registry
from core.errors import ConfigError
from core.paths import RESOURCES
from core.plain_yaml import read_yaml as read_yaml
from core.registry import Part
from core.wording import plain

MAX_CONFIG_BYTES = 1_000_000

Millimetres = Annotated[float, Field(ge=0.01, le=100)]
Side = Annotated[int, Field(ge=1, le=4096)]
Spacing = tuple[Millimetres, Millimetres, Millimetres]
PatchSize = tuple[Side, Side, Side]


class AugmentConfig(Part):
    """Random changes to each training patch, so that the network meets more than the scans at hand."""

    flip_axes: list[Literal["x", "y", "z"]] = Field(
        ["x"],
        title="Mirror axes",
        description="Axes (patient right-left, front-back, head-foot) a patch may be mirrored in.",
    )
    pose_share: float = Field(
        0.7,
        ge=0,
        le=1,
        title="Turned share",
        description="Part of the patches that are turned, scaled and moved a little. Few cases gain by a large one.",
    )
    rotate_deg: float = Field(
        15.0, ge=0, le=180, title="Rotation", description="Largest rotation about each axis, in degrees."
    )
    scale: float = Field(0.15, ge=0, le=0.9, title="Scaling", description="Largest relative change of size.")
    intensity: float = Field(
        0.2, ge=0, le=1, title="Intensity", description="Strength of noise, blur, contrast and brightness changes."
    )


class DataConfig(Part):
    """Which cases are trained on and how they are prepared."""

    path: Path | None = Field(
        None, title="Folder", description="A data set: Decathlon, nnU-Net, or a folder with images and labels."
    )
    val_fraction: float = Field(
        0.2,
        ge=0,
        lt=1,
        title="Validation share",
        description="Part of the cases kept for validation, drawn by the seed.",
    )
    test_fraction: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Test share",
        description="Part of the cases never touched in training, for the final figure.",
    )
    spacing_mm: Spacing | None = Field(
        None, title="Spacing (mm)", description="Grid the scans are brought to; empty: planned from the data."
    )
    patch_size: PatchSize | None = Field(
        None,
        title="Patch (voxels)",
        description="Size of a training patch; empty: planned from the data.",
    )
    intensities: Literal["scan", "ct"] | None = Field(
        None,
        title="Intensities",
        description="Scan: each is standardised by itself, as suits MR. Ct: one scale in Hounsfield units for all. "
        "Empty: planned from the data.",
    )
    label_names: dict[int, str] | None = Field(
        None, title="Label names", description="Names of the label values, where the data set does not give them."
    )
    label_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        title="Labels used",
        description="Part of the training cases that is trained on, drawn by the seed: what fewer labels would give.",
    )
    foreground: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Foreground share",
        description="Part of the patches that are centred on a labelled voxel.",
    )
    augment: AugmentConfig = Field(AugmentConfig(), title="Augmentation")


class TrainerConfig(Part):
    """How long and on what the network is trained."""

    epochs: int = Field(100, ge=1, le=100_000, title="Epochs", description="Passes over the training cases.")
    batch_size: int = Field(2, ge=1, le=1024, title="Batch", description="Patches in one step.")
    patches_per_case: int = Field(
        1, ge=1, le=64, title="Patches per case", description="Patches taken from each case in an epoch."
    )
    accumulate: int = Field(
        1, ge=1, le=1024, title="Accumulation", description="Steps whose gradients are added up before an update."
    )
    gradient_clip: float = Field(1.0, ge=0, title="Gradient clip", description="Limit of the gradient; 0: none.")
    gradient_clip_by: Literal["norm", "value"] = Field(
        "norm", title="Clip by", description="The norm of the whole gradient, or each of its values."
    )
    precision: Literal["auto", "32", "16-mixed", "bf16-mixed"] = Field(
        "auto",
        title="Precision",
        description="Auto times a few steps and takes what is fastest; one that would be slower is refused.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", description="Auto takes a GPU where there is one."
    )
    devices: int = Field(
        1,
        ge=1,
        le=64,
        title="Devices",
        description="GPUs of this computer, or processes on a CPU, that share each batch; the batch is a multiple.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        title="Threads",
        description="CPU threads of the network; 0: one less than the cores, so that the window stays quick.",
    )
    validate_every: int = Field(1, ge=1, title="Validate every", description="Epochs between two validations.")
    ema: float = Field(
        0.999,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay of the running average of the weights that is validated and kept; 0: off.",
    )
    early_stopping: int = Field(
        0, ge=0, title="Early stopping", description="Validations without a gain after which the run ends; 0: off."
    )
    max_minutes: float = Field(
        0.0, ge=0, title="Time limit (min)", description="The schedule is fitted to end by then; 0: no limit."
    )
    tensorboard: bool = Field(
        False, title="TensorBoard log", description="Write the curves for TensorBoard too, into the run's folder."
    )
    debug: bool = Field(
        False,
        title="Debug",
        description="Write each layer's shape, range and memory, and name the first layer that gives no number. Slow.",
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _as_written(cls, precision: object) -> object:
        """A number in YAML and on the command line, where `32` needs no quotes."""
        return str(precision) if isinstance(precision, int) else precision

    @field_validator("devices")
    @classmethod
    def _share_a_batch(cls, devices: int, others: ValidationInfo) -> int:
        batch = others.data.get("batch_size")
        if batch is not None and batch % devices:
            raise ValueError(f"should divide the batch of {batch}, which the devices share")
        return devices


class PlannedTrainerConfig(TrainerConfig):
    """As `TrainerConfig`, for a task whose planner chooses what is left empty."""

    epochs: int | None = Field(  # type: ignore[assignment]
        None, ge=1, le=100_000, title="Epochs", description="Passes over the training cases; empty: planned."
    )
    batch_size: int | None = Field(  # type: ignore[assignment]
        None, ge=1, le=1024, title="Batch", description="Patches in one step; empty: planned."
    )
    patches_per_case: int | None = Field(  # type: ignore[assignment]
        None,
        ge=1,
        le=64,
        title="Patches per case",
        description="Patches taken from each case in an epoch; empty: planned.",
    )
    validate_every: int | None = Field(  # type: ignore[assignment]
        None, ge=1, title="Validate every", description="Epochs between two validations; empty: planned."
    )
    ema: float | None = Field(  # type: ignore[assignment]
        None,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay of the running average of the weights that is kept, none at 0; empty: planned.",
    )


DEFAULT_TASK = "segmentation"
ALIAS = "training"  # what others call the block `trainer`


@cache
def experiment_class(task: str = DEFAULT_TASK) -> type[Part]:
    """The schema of an experiment of one task: its name, its seed and the blocks that the task asks for.

    Raises ConfigError where there is no such task.
    """
    chosen: Any = registry.part("task", task)
    return create_model(
        "Experiment",
        __base__=Part,
        __doc__="All of one run: the data, the task, the network and how it is trained.",
        name=(str, Field("experiment", min_length=1, max_length=80, pattern=r"^[\w][\w .+-]*$", title="Name")),
        seed=(
            int,
            Field(
                0, ge=0, le=2**31 - 1, title="Seed", description="The same seed gives the same split and the same run."
            ),
        ),
        task=(chosen, Field(default_factory=chosen, title="Task")),
        **chosen.blocks(),
    )


def task_of(tree: Mapping[str, Any]) -> str:
    """The name of the task that a tree is for, valid or not.

    >>> task_of({"task": {"name": "segmentation"}}), task_of({"task": "tabular"}), task_of({})
    ('segmentation', 'tabular', 'segmentation')
    """
    task = tree.get("task")
    name = task.get("name") if isinstance(task, Mapping) else task
    return name if isinstance(name, str) else DEFAULT_TASK


def parse(tree: Mapping[str, Any], *, where: str | Path | None = None) -> Any:
    """Make an `Experiment` from a plain tree. Raises ConfigError that names every wrong key."""
    try:
        return experiment_class(task_of(tree)).model_validate(tree)
    except ValidationError as error:
        wrong = (_plain(e) for e in error.errors())
        raise ConfigError("; ".join(f"{key} {text}" for key, text in wrong), where=where) from None


def _plain(error: Any) -> tuple[str, str]:
    """One validation error as a dotted key and what is wrong with it."""
    # The names of union members stand in pydantic's path; a person's path has only keys.
    keys = [str(part) for part in error["loc"] if not (isinstance(part, str) and part in _member_names())]
    key = ".".join(keys) or "experiment"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(keys[-1], _field_names(), n=1)
        return key, "is not a known key" + (f" (did you mean {near[0]}?)" if near else "")
    return key, plain(error["msg"][:1].lower() + error["msg"][1:])


@cache
def _member_names() -> frozenset[str]:
    return frozenset(name for kind in registry.KINDS for name in registry.parts(kind))


@cache
def _field_names() -> frozenset[str]:
    """Every key of every block, to guess what a wrong one was meant to be."""
    parts = [part for kind in registry.KINDS for part in registry.parts(kind).values()]
    experiments = [experiment_class(task) for task in registry.parts("task")]
    blocks: list[type[Part]] = [*experiments, DataConfig, AugmentConfig, TrainerConfig, *parts]
    return frozenset(name for block in blocks for name in block.model_fields)


def problems(tree: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a tree, by dotted key; empty when it is a valid experiment. Used by the form as one types."""
    try:
        experiment_class(task_of(tree)).model_validate(tree)
    except ValidationError as error:
        return dict(_plain(e) for e in error.errors())
    except ConfigError as error:
        return {"task.name": str(error)}
    return {}


def to_tree(experiment: Any) -> dict[str, Any]:
    """The experiment as plain values, as YAML and JSON hold them."""
    tree: dict[str, Any] = experiment.model_dump(mode="json")
    return tree


def to_yaml(experiment: Any) -> str:
    return yaml.safe_dump(to_tree(experiment), sort_keys=False, allow_unicode=True)


def presets(task: str | None = None) -> dict[str, Path]:
    """The shipped experiments by name; `task`: only those of one task."""
    found = {path.stem: path for path in sorted((RESOURCES / "presets").glob("*.yaml"))}
    return found if task is None else {name: path for name, path in found.items() if task_of(load_tree(path)) == task}


def load(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Any:
    """Read an experiment from a preset's name or a YAML file, then apply `dotted.key=value` overrides.

    Raises ConfigError where the file is missing, is not YAML, or describes no valid experiment.
    """
    return parse(load_tree(name_or_path, overrides), where=name_or_path)


def load_tree(name_or_path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The plain tree of a preset or file with overrides applied, not yet validated."""
    path = presets().get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise ConfigError(
            "there is no such preset or file",
            where=path,
            mend=f"Give a YAML file or one of: {', '.join(presets()) or 'none'}.",
        )
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError(f"larger than {MAX_CONFIG_BYTES:,} bytes, so it is no experiment", where=path)
    try:
        tree = read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"not readable as YAML ({_first_line(error)})", where=path) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read ({error.strerror or error})", where=path) from None
    if not isinstance(tree, dict):
        raise ConfigError("an experiment is a table of keys", where=path)
    if ALIAS in tree:
        if "trainer" in tree:
            raise ConfigError(f"{ALIAS} is another name of trainer; only one of them can be given", where=path)
        tree = {"trainer" if key == ALIAS else key: value for key, value in tree.items()}
    # Naming another part empties its block, so that comes before what is set of it, in whatever order they are given.
    for override in sorted(overrides, key=_depth):
        _apply(tree, f"trainer.{override.removeprefix(f'{ALIAS}.')}" if override.startswith(f"{ALIAS}.") else override)
    return tree


def _depth(override: str) -> int:
    """Of the key that an override sets; the name of a part counts as the part itself."""
    keys = override.partition("=")[0].split(".")
    return len(keys) - (len(keys) > 1 and keys[-1] == "name")


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{override!r} is no override", mend="Write key=value, such as trainer.epochs=20.")
    *parents, last = key.split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if isinstance(child, str) and parent != "name":  # a part that is given by its name alone
            child = node[parent] = {"name": child}
        if not isinstance(child, dict):
            raise ConfigError(f"{override!r}: {parent} holds a value, not keys")
        node = child
    try:
        value = read_yaml(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{_cut(override)!r}: the value is not readable ({_first_line(error)})") from None
    if type(value) is int and str(value) != text.strip():
        value = text.strip()  # 007 and 12:30 are numbers in YAML 1.1, to a person names
    # YAML 1.1 reads "1e-3" as text; people write numbers so. What stands in quotes is meant as text.
    elif isinstance(value, str) and value == text.strip():
        with contextlib.suppress(ValueError):
            value = float(value)
    if parents and last == "name" and node.get("name") not in (None, value):
        node.clear()  # another part: the old one's keys would not fit it
    node[last] = value


def _cut(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else f"{text[:longest]} …"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
