"""A MONAI bundle's way from a scan to labels: MONAI's own transforms and windows, made from plain values.

The transforms one after the other; windows whose raw answers are blended; softmax or sigmoid; back through the inverse
of each transform that moves voxels, onto the scan's own grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from core.control import JobControl
from core.errors import ModelError, UnsuitableScan
from core.imaging.volume import Finding, Volume
from core.inference.pipelines.monai_steps import AnyStep, Spacing, SpatialPad
from core.inference.region_first import SEEN, Place, near, order
from core.inference.region_first import Windows as Counted
from core.inference.windows import at
from core.registry import Part, register

if TYPE_CHECKING:
    from core.inference.mirroring import Mirror
    from core.inference.package import ModelPackage
    from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]
MAX_VOXELS = 2**29
Share = Annotated[float, Field(ge=0, lt=1)]
Three = tuple[int, int, int]


class Windows(Part):
    """How windows of the plan's patch size go over the scan, by the names of MONAI's SlidingWindowInferer."""

    overlap: Share | tuple[Share, Share, Share] = 0.25
    mode: Literal["constant", "gaussian"] = "constant"
    sigma_scale: float = Field(0.125, gt=0, le=4)
    padding_mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    cval: float = 0.0


class Answer(Part):
    """From the network's answer to labels. threshold: each channel is a structure by itself; None: the largest counts.

    invert: whether probabilities go back to the scan's grid, or the labels made from them; nearest: without
    interpolation.
    """

    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    threshold: float | None = None
    invert: Literal["probabilities", "labels"] = "probabilities"
    nearest: bool = False


@register("pipeline")
class MonaiPipeline(Part):
    """What of a bundle a prediction needs. The window and the structures are the package's plan's."""

    name: Literal["monai"] = "monai"
    steps: list[AnyStep] = Field(default_factory=list, max_length=40)
    windows: Windows = Windows()
    answer: Answer = Answer()

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """The voxels that the network sees; None: the scan's own."""
        return next((step.pixdim for step in reversed(self.steps) if isinstance(step, Spacing)), None)

    @property
    def any_voxels(self) -> bool:
        return self.spacing_mm is None

    def findings(self, volume: Volume, found: list[Finding]) -> list[Finding]:
        """What a person should know before trusting the answer, given what every model of that plan would tell."""
        names = {step.transform for step in self.steps}
        if self.any_voxels:
            found = [one for one in found if one.code != "spacing_unlike_training"]  # the plan's is a stand-in
            found.append(Finding("spacing_unchecked", "info", "The model takes voxels of any size as they are."))
        if "Orientation" not in names:
            text = (
                f"The model takes scans as they are stored; this one is {volume.orientation}. The answer is only right"
                " if the training scans were stored so too."
            )
            found.append(Finding("orientation_unchecked", "info", text))
        return found

    def segment(
        self, volume: Volume, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl, *,
        region_first: bool = False, windows: Counted | None = None,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Label values and the probability of the chosen class, on the scan's own grid."""
        import torch
        from monai.data import MetaTensor

        control.progress(0.0, "Preparing the scan")
        self._refuse_huge(volume, package.plan.channels)
        channels = [volume.values(n) for n in range(package.plan.channels)]
        values = np.nan_to_num(np.stack(channels), posinf=0.0, neginf=0.0)
        image = MetaTensor(torch.from_numpy(values), affine=torch.from_numpy(volume.affine_ras.copy()))
        made = [step.make() for step in self.steps]
        for transform in made:
            control.check()
            try:
                image = transform(image)
            except (ValueError, RuntimeError, IndexError) as error:
                reason = f"{type(transform).__name__}: {str(error)[:200]}"
                raise UnsuitableScan(f"the model cannot prepare it ({reason})", where=volume.source.path) from None
        if not min(image.shape):
            raise UnsuitableScan("the model's preparation leaves nothing of it", where=volume.source.path)
        plain = image.as_tensor().to(torch.float32)
        logits = self._windows(
            plain[None], package.plan.patch_size, runtime, control.part(0.1, 0.8), region_first, windows or Counted()
        )
        control.progress(0.8, "Bringing the answer back")

        def back(channel: Any, nearest: bool) -> Array:
            control.check()
            return _inverted(channel, image, made, nearest)

        classes, certainty = self._labels(logits, back)
        certainty[(classes == 0) & (certainty <= 0)] = 1  # cut away before the network saw it
        table = np.array([0, *(label.value for label in package.plan.labels)], np.uint16)
        return table[classes], certainty

    def _refuse_huge(self, volume: Volume, channels: int) -> None:
        sides: list[float] = list(volume.grid_shape)
        if self.spacing_mm is not None:
            longest = max(n * mm for n, mm in zip(volume.grid_shape, volume.spacing_mm, strict=True))
            sides = [longest / mm + 1 for mm in self.spacing_mm]  # turned any way
        for step in self.steps:
            if isinstance(step, SpatialPad):
                size = step.spatial_size if isinstance(step.spatial_size, tuple) else (step.spatial_size,) * 3
                sides = [max(n, least) for n, least in zip(sides, size, strict=True)]
        if channels * math.prod(sides) > MAX_VOXELS:
            raise UnsuitableScan("at the model's voxel size the scan would not fit into memory",
                                 where=volume.source.path)  # fmt: skip

    def _windows(
        self, image: Any, size: Three, runtime: Runtime, control: JobControl, region_first: bool, counted: Counted
    ) -> Any:
        """(1, channels, x, y, z) -> the network's blended answers, (outputs, x, y, z)."""
        import torch
        from monai.inferers import sliding_window_inference

        how, pad = self.windows, [(n, max(side - n, 0)) for n, side in zip(image.shape[2:], size, strict=True)]
        around = [(missing // 2, missing - missing // 2) for _, missing in pad]
        # As MONAI does it, but here, so that a place is the same in the image and in the answer.
        image = torch.nn.functional.pad(
            image, [n for both in reversed(around) for n in both], mode=how.padding_mode, value=how.cval
        )

        def slid(predict: Callable[[Any, Place], Any]) -> Any:
            def answered(window: Any, spans: Any) -> Any:
                place = tuple(side.start for side in spans[0][2:])
                return predict(window, place).clone()  # MONAI multiplies it in place

            return sliding_window_inference(
                image, size, 1, answered, overlap=how.overlap, mode=how.mode, sigma_scale=how.sigma_scale,
                with_coord=True,
            )[0]  # fmt: skip

        places: list[Place] = []

        def note(window: Any, place: Place) -> Any:
            places.append(place)
            return window[:, :1]

        slid(note)
        begins = [sorted({place[axis] for place in places}) for axis in range(3)]
        first, rest = order(begins, size, region_first)
        known: dict[Place, Any] = {}  # of the coarse pass
        counted.asked, counted.whole = 0, len(places)

        def answer(window: Any, place: Place) -> Any:
            if place in known:
                return known[place]
            control.progress(min(counted.asked / counted.whole, 1.0), "Predicting")
            counted.asked += 1
            return self._answered(window, size, runtime)

        if not rest:
            found = slid(answer)
        else:
            for place in first:
                known[place] = answer(image[(slice(None), slice(None), *at(place, size))], place)
            coarse = self._joined(known, image.shape[2:], size)
            again = set(near(self._seen(coarse), size, rest))
            found = slid(
                lambda window, place: (
                    answer(window, place) if place in known or place in again
                    else coarse[(slice(None), *at(place, size))][None]
                )
            )  # fmt: skip
        inner = (slice(before, before + n) for (before, _), (n, _) in zip(around, pad, strict=True))
        return found[(slice(None), *inner)]

    def _answered(self, window: Any, size: Three, runtime: Runtime) -> Any:
        import torch

        shown = " x ".join(map(str, size))
        try:
            found = runtime(np.ascontiguousarray(window[0].numpy(), np.float32))
        except RuntimeError as error:  # what torch says of sizes that a network cannot take
            raise ModelError(f"the network cannot take windows of {shown} ({str(error)[:200]})") from None
        if found.shape[1:] != size:
            raise ModelError(f"the network answers windows of {shown} with {found.shape[1:]}")
        return torch.from_numpy(found)[None]

    def _joined(self, answers: dict[Place, Any], sides: Sequence[int], size: Three) -> Any:
        """The answers of the coarse pass side by side; where two meet, the later one."""
        import torch

        some = next(iter(answers.values()))
        joined = torch.zeros((some.shape[1], *sides))
        for place, answer in answers.items():
            joined[(slice(None), *at(place, size))] = answer[0]
        return joined

    def _seen(self, answers: Any) -> Array:
        """Where any structure is more than hardly likely."""
        if self.answer.threshold is not None:
            seen = answers.sigmoid().amax(0) > SEEN
        else:
            seen = answers.softmax(0)[0] < 1 - SEEN
        return np.asarray(seen.numpy())

    def _labels(self, logits: Any, back: Callable[[Any, bool], Array]) -> tuple[Array, Array]:
        """Class indices and the probability of each voxel's class, both brought back by `back`."""
        how = self.answer
        active = {"softmax": lambda: logits.softmax(0), "sigmoid": logits.sigmoid, "none": lambda: logits}
        scores = active[how.activation]()
        if how.threshold is None:
            return self._largest(scores, logits, back)
        return self._above(scores, logits, how.threshold, back)

    def _largest(self, scores: Any, logits: Any, back: Callable[[Any, bool], Array]) -> tuple[Array, Array]:
        how = self.answer
        likely = back(logits.softmax(0).max(0).values, how.nearest)
        if how.invert == "labels":
            return back(scores.argmax(0).float(), how.nearest).round().astype(np.uint16), likely
        best = back(scores[0], how.nearest)
        classes = np.zeros(best.shape, np.uint16)
        for index in range(1, len(scores)):
            one = back(scores[index], how.nearest)
            classes[one > best] = index
            best = np.maximum(best, one)
        return classes, likely

    def _above(
        self, scores: Any, logits: Any, threshold: float, back: Callable[[Any, bool], Array]
    ) -> tuple[Array, Array]:
        """Where structures overlap, the smaller one shows."""
        how = self.answer
        masks, probabilities = [], []
        for index, score in enumerate(scores):
            if how.invert == "labels":
                masks.append(back((score >= threshold).float(), how.nearest) > 0.5)
            else:
                masks.append(back(score, how.nearest) >= threshold)
            probabilities.append(back(logits[index].sigmoid(), how.nearest))
        classes = np.zeros(masks[0].shape, np.uint16)
        certainty = 1 - np.maximum.reduce(probabilities)
        for index in sorted(range(len(masks)), key=lambda one: -int(masks[one].sum())):
            classes[masks[index]] = index + 1
            certainty[masks[index]] = probabilities[index][masks[index]]
        return classes, certainty


def _inverted(channel: Any, image: Any, made: list[Any], nearest: bool) -> Array:
    """(x, y, z) on the network's grid -> the scan's own, undoing each transform that moved voxels."""
    from monai.data import MetaTensor
    from monai.transforms import InvertibleTransform
    from monai.transforms.utils import convert_applied_interp_mode

    applied = deepcopy(image.applied_operations)
    if nearest:
        applied = convert_applied_interp_mode(applied, mode="nearest", align_corners=None)
    answer = MetaTensor(channel[None], affine=image.affine, applied_operations=applied)
    for transform in reversed(made):
        if isinstance(transform, InvertibleTransform):
            answer = transform.inverse(answer)
    found: Array = answer[0].cpu().numpy()
    return np.ascontiguousarray(found, np.float32)
