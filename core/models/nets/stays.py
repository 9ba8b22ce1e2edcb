"""Encoders of stays as torch modules: what goes into every step, three bodies, and what comes out of a whole stay."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class StayBatch(NamedTuple):
    """Stays for a network.

    values: (B, T, variables), 0 where `observed` (bool) is not; padding: (B, T) bool, true after the stay's end;
    times: (B, T) hours since the beginning; statics: (B, width).
    """

    values: Tensor
    observed: Tensor
    padding: Tensor
    times: Tensor
    statics: Tensor

    def with_cells(self, observed: Tensor) -> StayBatch:
        """The same stays with only some of their cells, (B, T, variables) bool."""
        return self._replace(values=self.values * observed, observed=observed)

    def ended(self, lengths: Tensor) -> StayBatch:
        """The same stays as they were after so many steps, (B,), at least one each."""
        after = torch.arange(self.values.shape[1], device=self.values.device)[None] >= lengths[:, None]
        return self.with_cells(self.observed & ~after[..., None])._replace(padding=self.padding | after)

    def to(self, device: torch.device) -> StayBatch:
        return StayBatch(*(tensor.to(device, non_blocking=True) for tensor in self))


class Encoded(NamedTuple):
    """What an encoder gives: `steps` (B, T, width), one vector of the whole stay (B, stay_width), the plain statistics
    that the stay was summarised by (B, facts_width), of which nothing is learned, and log(1 + hours) until its last
    step (B, 1)."""

    steps: Tensor
    stay: Tensor
    facts: Tensor
    elapsed: Tensor

    @property
    def whole(self) -> Tensor:
        """What a head sees, (B, stay_width + facts_width + 1)."""
        return torch.cat([self.stay, self.facts, self.elapsed], dim=1)


SUMMARIES, FURTHER = 7, 3  # numbers of each variable over the whole stay: those an encoder sees, and a head besides


class StayEncoder(nn.Module):
    """Any encoder of stays: features of each step, a summary of the whole stay, a body, and pooling.

    body: (x (B, T, width), padding (B, T)) -> (B, T, width). cells: what makes a step's vector of its features, (B, T,
    4 x variables) and padding -> (B, T, width); without it one linear layer does.
    A step's features are each variable's value, whether it was measured, the last value before, and how long ago that
    was (as in GRU-D, Che et al., arXiv 1606.01865). The summary holds each variable's mean, extremes, first, last,
    change and count over the stay; both come from the observed cells alone, so that a hidden cell leaves no trace.
    """

    def __init__(
        self, variables: int, static_width: int, width: int, body: nn.Module, dropout: float,
        cells: nn.Module | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.width, self.facts_width = width, (SUMMARIES + FURTHER) * variables + static_width
        self.cells = cells
        self.features = nn.Linear(4 * variables, width) if cells is None else nn.Identity()
        self.hours = nn.Linear(2 * len(PERIODS), width)
        self.summary = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(SUMMARIES * variables + static_width, width), nn.GELU(), nn.Dropout(dropout)
        )
        self.to_steps = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.body = body
        self.norm = nn.LayerNorm(width)
        self.half_life = nn.Parameter(torch.full((variables,), math.log(6.0)))

    @property
    def stay_width(self) -> int:
        return 4 * self.width

    def forward(self, batch: StayBatch) -> Encoded:
        values, observed = batch.values, batch.observed.to(batch.values.dtype)
        kept, ago = carried(values, batch.observed, batch.times)
        fresh = torch.exp2(-ago / self.half_life.exp())
        facts = torch.cat([summarised(batch), batch.statics], dim=1)
        summary = self.summary(facts)
        facts = torch.cat([facts, further(batch)], dim=1)
        x = torch.cat([values, observed, kept * fresh, fresh], dim=-1)
        x = self.features(x) if self.cells is None else self.cells(x, batch.padding)
        x = x + self.hours(waves(batch.times)) + self.to_steps(summary)[:, None]
        steps = self.norm(self.body(self.dropout(x), batch.padding))
        there = (~batch.padding).to(steps.dtype)[..., None]
        mean = (steps * there).sum(1) / there.sum(1).clamp_min(1)
        most = steps.masked_fill(batch.padding[..., None], -1e4).amax(1)
        end = (there.sum((1, 2)).long() - 1).clamp_min(0)
        last = steps[torch.arange(len(steps), device=steps.device), end]
        elapsed = torch.log1p(batch.times.gather(1, end[:, None]))
        return Encoded(steps, torch.cat([mean, most, last, summary], dim=1), facts, elapsed)

    def layers(self) -> list[list[nn.Parameter]]:
        """The parameters from the input to the output, for learning rates that differ by depth."""
        body: Any = self.body
        first = [self.features, *([] if self.cells is None else [self.cells])]
        first += [self.hours, self.summary, self.to_steps]
        return [
            [self.half_life, *(p for module in first for p in module.parameters())],
            *(list(block.parameters()) for block in body.blocks),
            list(self.norm.parameters()),
        ]


def described(batch: StayBatch) -> Tensor:
    """(B, facts_width + 1): the plain statistics and the time of `Encoded`, of which nothing is learned."""
    end = ((~batch.padding).sum(1) - 1).clamp_min(0)
    elapsed = torch.log1p(batch.times.gather(1, end[:, None]))
    return torch.cat([summarised(batch), batch.statics, further(batch), elapsed], dim=1)


class Standardise(nn.Module):
    """Columns to mean 0 and deviation 1 as they are among the training stays, clipped: (B, width) -> (B, width).

    The first `learned` columns are made smaller by `share`: a penalty on the weights of what follows then trusts the
    many learned columns less than the `plain` ones. The last column, the time, becomes 0 for a whole stay and about -1
    for an eighth of one.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, learned: int, plain: int, share: float) -> None:
        super().__init__()
        self.learned, self.share = learned, share
        self.register_buffer("center", torch.zeros(learned + plain + 1))
        self.register_buffer("scale", torch.ones(learned + plain + 1))

    @torch.no_grad()
    def fit(self, rows: Tensor) -> None:
        self.center.copy_(rows.mean(dim=0))
        self.scale.copy_(rows.std(dim=0, correction=0).clamp_min(1e-3))
        self.scale[-1] = math.log(8)  # whole stays are of about one length: nothing to standardise by

    def forward(self, rows: Tensor) -> Tensor:
        found = ((rows - self.center) / self.scale).clamp(-5, 5)
        return torch.cat([self.share * found[:, : self.learned], found[:, self.learned :]], dim=1)


def whole_share(time: Tensor) -> Tensor:
    """How far a stay counts as whole, 1 at the whole length and 0 up to half of it, by `Standardise`'s last column."""
    return (1 + 3 * time).clamp(0, 1)


class Varying(nn.Module):
    """Lets the weights of a linear layer that follows change with time: (B, width + 1) -> (B, 3 x width + 1).

    The last column is the time. The others come as they are in a whole stay, as they are in one that has just begun,
    and these multiplied by the time (varying-coefficient models, Hastie & Tibshirani, JRSS B 1993). Of whole stays all
    but the first third is 0, so what is learned of early ones does not disturb them.
    """

    def forward(self, rows: Tensor) -> Tensor:
        columns, time = rows[:, :-1], rows[:, -1:]
        whole = whole_share(time)
        begun = columns * (1 - whole)
        return torch.cat([columns * whole, begun, begun * time, time], dim=1)


PERIODS = (1, 2, 4, 8, 12, 24, 48, 96)  # hours


def waves(times: Tensor) -> Tensor:
    """(B, T) hours -> (B, T, 2 x periods): a sine and a cosine of each period."""
    angle = times[..., None] * (2 * math.pi / torch.tensor(PERIODS, dtype=times.dtype, device=times.device))
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def carried(values: Tensor, observed: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """The last value of each variable up to each step and the hours since, (B, T, variables); before the first: 0, 1e4.

    Without a loop over steps: the step of the last observation is a running maximum.
    """
    steps = torch.arange(values.shape[1], device=values.device)[None, :, None]
    last = torch.where(observed, steps, -1).cummax(dim=1).values
    index = last.clamp_min(0)
    kept = values.gather(1, index)
    since = times[..., None] - times[..., None].expand_as(values).gather(1, index)
    there = last >= 0
    return torch.where(there, kept, 0), torch.where(there, since, 1e4)


def summarised(batch: StayBatch) -> Tensor:
    """(B, SUMMARIES x variables): mean, least, most, first, last, change of the late from the early half, log count."""
    values, observed = batch.values, batch.observed
    there = observed.to(values.dtype)
    count = there.sum(1)
    some = count > 0
    mean = (values * there).sum(1) / count.clamp_min(1)
    least = torch.where(some, values.masked_fill(~observed, 1e4).amin(1), 0)
    most = torch.where(some, values.masked_fill(~observed, -1e4).amax(1), 0)
    steps = torch.arange(values.shape[1], device=values.device)[None, :, None]
    first = values.gather(1, torch.where(observed, steps, values.shape[1] - 1).amin(1, keepdim=True))[:, 0]
    last = values.gather(1, torch.where(observed, steps, 0).amax(1, keepdim=True))[:, 0]
    first, last = torch.where(some, first, 0), torch.where(some, last, 0)
    length = (~batch.padding).sum(1)[:, None, None]
    late = there * (steps >= length / 2)
    ending = (values * late).sum(1) / late.sum(1).clamp_min(1)
    change = torch.where(late.sum(1) > 0, ending - mean, 0)
    return torch.cat([mean, least, most, first, last, change, torch.log1p(count) / 2], dim=1)


def further(batch: StayBatch) -> Tensor:
    """(B, FURTHER x variables): standard deviation, mean of the late half, and count of each variable."""
    values, there = batch.values, batch.observed.to(batch.values.dtype)
    count = there.sum(1)
    mean = (values * there).sum(1) / count.clamp_min(1)
    spread = ((values.square() * there).sum(1) / count.clamp_min(1) - mean.square()).clamp_min(0).sqrt()
    steps = torch.arange(values.shape[1], device=values.device)[None, :, None]
    late = there * (steps >= (~batch.padding).sum(1)[:, None, None] / 2)
    return torch.cat([spread, (values * late).sum(1) / late.sum(1).clamp_min(1), count / 10], dim=1)


class TransformerBody(nn.Module):
    """Layers of self-attention over the steps, normalised before (Xiong et al., arXiv 2002.04745)."""

    def __init__(self, width: int, heads: int, layers: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Attention(width, heads, feedforward, dropout) for _ in range(layers))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        mask = None if not padding.any() else ~padding[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        return x


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, feedforward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feedforward, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, steps, width = x.shape
        q, k, v = self.qkv(self.before(x)).reshape(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.dropout(self.out(found.transpose(1, 2).reshape(batch, steps, width)))
        return x + self.dropout(self.mlp(self.between(x)))


class Cells(nn.Module):
    """Every cell of the grid is a token that looks at the other variables of its step, then at its own other steps.

    (B, T, 4 x variables) and padding (B, T) -> (B, T, width). Attention along both axes in turns, as DuETT (Labach et
    al., arXiv 2304.13017) does; here a variable's row is looked at by itself, so that stays may be of any length.
    """

    def __init__(self, variables: int, cell: int, layers: int, heads: int, width: int, dropout: float) -> None:
        super().__init__()
        self.variables = variables
        self.weight = nn.Parameter(torch.randn(variables, 4, cell) / 2)
        self.name = nn.Parameter(torch.randn(variables, cell) / 2)
        self.hours = nn.Linear(1, cell)
        self.across = nn.ModuleList(_Attention(cell, heads, 2 * cell, dropout) for _ in range(layers))
        self.along = nn.ModuleList(_Attention(cell, heads, 2 * cell, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(cell)
        self.out = nn.Linear(variables * cell, width)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        batch, steps, _ = x.shape
        cells = torch.einsum("btfv,vfc->btvc", x.reshape(batch, steps, 4, self.variables), self.weight) + self.name
        place = torch.arange(steps, dtype=x.dtype, device=x.device)[:, None, None] / 24
        cells = cells + self.hours(place)
        mask = ~padding.repeat_interleave(self.variables, dim=0)[:, None, None, :] if padding.any() else None
        for across, along in zip(self.across, self.along, strict=True):
            cells = across(cells.flatten(0, 1), None).reshape(cells.shape)
            turned = along(cells.transpose(1, 2).flatten(0, 1), mask)
            cells = turned.reshape(batch, self.variables, steps, -1).transpose(1, 2)
        found: Tensor = self.out(self.norm(cells).flatten(2))
        return found


class RecurrentBody(nn.Module):
    """Gated recurrent units (Cho et al., arXiv 1406.1078), in time or both ways, added to their input."""

    def __init__(self, width: int, layers: int, both_ways: bool, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Recurrent(width, both_ways, dropout) for _ in range(layers))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        lengths = (~padding).sum(1)
        for block in self.blocks:
            x = block(x, lengths)
        return x


class _Recurrent(nn.Module):
    def __init__(self, width: int, both_ways: bool, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.forwards = nn.GRU(width, width, batch_first=True)
        self.backwards = nn.GRU(width, width, batch_first=True) if both_ways else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        z = self.before(x)
        found = self.forwards(z)[0]
        if self.backwards is not None:
            # Each stay is turned round within its own length, so that padding never comes first.
            steps = torch.arange(x.shape[1], device=x.device)[None]
            turned = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
            index = turned[..., None].expand_as(z)
            found = found + self.backwards(z.gather(1, index))[0].gather(1, index)
        return x + self.dropout(found)


class ConvolutionBody(nn.Module):
    """Dilated convolutions over time with residuals (Bai et al., arXiv 1803.01271), looking both ways."""

    def __init__(self, width: int, layers: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Dilated(width, kernel, 2**n, dropout) for n in range(layers))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        there = (~padding)[..., None].to(x.dtype)
        for block in self.blocks:
            x = block(x, there)
        return x


class _Dilated(nn.Module):
    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, kernel, padding="same", dilation=dilation)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        z = (self.before(x) * there).transpose(1, 2)  # what is padded looks like the edge
        z = functional.gelu(self.convolution(z).transpose(1, 2))
        return x + self.dropout(self.out(z))
