"""Networks of several runs as one, where each run has a coding of its own: rows come in the ensemble's coding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.data.tables.encode import CLIP, NumberColumn, TableCoding

FARTHEST = CLIP * (1 - 1e-6)  # a coded number that is nearer to the clip can hold no more than its sign


class Recoded(nn.Module):
    """Rows in one coding turned into another of the same columns or fewer: numbers unscaled and scaled anew.

    A column of `to` has to be in `of`, and each of its words too.
    """

    def __init__(self, of: TableCoding, to: TableCoding) -> None:
        super().__init__()
        places = {column.name: place for place, column in enumerate(of.numbers)}
        taken = [places[column.name] for column in to.numbers]
        before = [of.numbers[place] for place in taken]
        # The columns that say where cells are empty stand behind all numbers; the last place is one that is never so.
        said = [column.name for column in of.numbers if column.indicator]
        empty = [len(of.numbers) + said.index(c.name) if c.indicator else of.width for c in before]
        self._place("taken", taken)
        self._place("empty", empty)
        self._place("told", [place for place, column in enumerate(to.numbers) if column.indicator])
        self._numbers("before", before)
        self._numbers("after", to.numbers)
        words = {column.name: (place, column.levels) for place, column in enumerate(of.words)}
        self.words = [words[column.name][0] for column in to.words]
        for number, column in enumerate(to.words):
            own = {level: code for code, level in enumerate(column.levels, start=1)}
            codes = [0, *(own.get(level, 0) for level in words[column.name][1])]
            self.register_buffer(f"codes_{number}", torch.tensor(codes), persistent=False)

    def _place(self, name: str, places: list[int]) -> None:
        self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)

    def _numbers(self, name: str, columns: Sequence[NumberColumn]) -> None:
        values = torch.tensor([[c.median, c.factor] for c in columns], dtype=torch.float64).reshape(-1, 2)
        self.register_buffer(name, values, persistent=False)

    def forward(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        kind, wide = numbers.dtype, numbers.double()
        before, after = self.before.double(), self.after.double()
        clipped = wide[:, self.taken].clamp(-FARTHEST, FARTHEST)
        cells = clipped / (1 - (clipped / CLIP) ** 2).sqrt() / before[:, 1] + before[:, 0]
        scaled = (cells - after[:, 0]) * after[:, 1]
        scaled = scaled / (1 + (scaled / CLIP) ** 2).sqrt()
        empty = torch.cat([wide, torch.zeros_like(wide[:, :1])], dim=1)[:, self.empty] > 0.5
        own = torch.cat([scaled.masked_fill(empty, 0.0), empty[:, self.told].double()], dim=1).to(kind)
        if not self.words:
            return own, codes[:, :0]
        columns = [getattr(self, f"codes_{n}")[codes[:, place]] for n, place in enumerate(self.words)]
        return own, torch.stack(columns, dim=1)


class Members(nn.Module):
    """As one network with the members of all: numbers and codes of rows -> (rows, members, outputs)."""

    def __init__(self, coding: TableCoding, codings: Sequence[TableCoding], networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.recoded = nn.ModuleList(Recoded(coding, own) for own in codings)
        self.networks = nn.ModuleList(networks)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        return torch.cat(
            [network(*recoded(numbers, codes)) for recoded, network in zip(self.recoded, self.networks, strict=True)],
            dim=1,
        )
