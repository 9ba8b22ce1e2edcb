"""Layers of the networks for tables: activations with gates, embeddings of numbers, and several networks in one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu, "gelu": functional.gelu, "selu": functional.selu, "silu": functional.silu,
    "mish": functional.mish, "tanh": torch.tanh,
}  # fmt: skip
_GATED: dict[str, Callable[[Tensor], Tensor]] = {
    "glu": torch.sigmoid, "geglu": functional.gelu, "swiglu": functional.silu, "reglu": functional.relu,
}  # fmt: skip


class Activation(nn.Module):
    """An activation by name. A gated one (Shazeer, arXiv 2002.05202) halves the last axis: `width_in` says so."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.gated = name in _GATED

    def width_in(self, width: int) -> int:
        """The width that the layer before must have for `width` to come out."""
        return 2 * width if self.gated else width

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            value, gate = x.chunk(2, dim=-1)
            return value * _GATED[self.name](gate)
        return _PLAIN[self.name](x)


class NumberEmbedding(nn.Module):
    """Each number becomes a small vector by learned frequencies and a linear layer (PBLD, arXiv 2407.04491).

    (rows, features) -> (rows, features, width); the number itself is the first of them.
    """

    def __init__(self, features: int, width: int = 4, *, hidden: int = 16, sigma: float = 0.1) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(features, hidden) * sigma)
        self.phase = nn.Parameter(torch.rand(features, hidden) * 2 * math.pi - math.pi)
        bound = 1 / math.sqrt(hidden)
        self.weight = nn.Parameter(torch.empty(features, hidden, width - 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(features, width - 1).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.cos(2 * math.pi * x[..., None] * self.frequency + self.phase)  # (rows, features, hidden)
        return torch.cat([x[..., None], torch.einsum("...fh,fhw->...fw", waves, self.weight) + self.bias], dim=-1)


class WordEmbedding(nn.Module):
    """Codes become one-hot columns where there are few, learned vectors where there are many; all in one row."""

    def __init__(self, cardinalities: Sequence[int], *, most_one_hot: int = 9, width: int = 8) -> None:
        super().__init__()
        self.one_hot = [n <= most_one_hot for n in cardinalities]
        self.cardinalities = list(cardinalities)
        many = [n for n, few in zip(cardinalities, self.one_hot, strict=True) if not few]
        self.embeddings = nn.ModuleList(nn.Embedding(n, width) for n in many)
        self.width = sum(n if few else width for n, few in zip(cardinalities, self.one_hot, strict=True))

    def forward(self, codes: Tensor) -> Tensor:
        """(rows, columns) int64 -> (rows, width)."""
        embeddings = iter(self.embeddings)
        parts = []
        for place, few in enumerate(self.one_hot):
            column = codes[:, place]
            parts.append(
                functional.one_hot(column, self.cardinalities[place]).to(torch.get_default_dtype())
                if few
                else next(embeddings)(column)
            )
        return torch.cat(parts, dim=-1)


class EnsembleLinear(nn.Module):
    """A linear layer that several networks share but for scales and bias of their own (TabM, arXiv 2410.24210).

    (rows, members, inputs) -> (rows, members, outputs).
    """

    def __init__(self, inputs: int, outputs: int, members: int, *, first: bool = False) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        signs = torch.randint(0, 2, (members, inputs)).float() * 2 - 1
        # Random signs in the first layer alone make the members differ; the others begin as one.
        self.scale_in = nn.Parameter(signs if first else torch.ones(members, inputs))
        self.scale_out = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x * self.scale_in, self.weight) * self.scale_out + self.bias


class MemberLinear(nn.Module):
    """A linear layer of its own for each member: (rows, members, inputs) -> (rows, members, outputs)."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("rmi,mio->rmo", x, self.weight) + self.bias


class TableMLP(nn.Module):
    """Embeddings, then blocks of linear layer, activation and dropout, then a linear layer.

    numbers (rows, features), codes (rows, columns) -> (rows, members, outputs); one member unless `members` says more.
    """

    def __init__(
        self, width: int, cardinalities: Sequence[int], outputs: int, *, hidden: Sequence[int], activation: str,
        dropout: float, embed_numbers: bool, members: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.members = members
        self.numbers = NumberEmbedding(width) if embed_numbers and width else None
        self.words = WordEmbedding(cardinalities) if cardinalities else None
        inputs = width * (4 if self.numbers is not None else 1) + (self.words.width if self.words is not None else 0)
        layers: list[nn.Module] = []
        for number, size in enumerate(hidden):
            act = Activation(activation)
            outward = act.width_in(size)
            if members > 1:
                layers.append(EnsembleLinear(inputs, outward, members, first=number == 0))
            else:
                layers.append(nn.Linear(inputs, outward))
            layers += [act, nn.Dropout(dropout)]
            inputs = size
        self.body = nn.Sequential(*layers)
        self.head: nn.Module = MemberLinear(inputs, outputs, members) if members > 1 else nn.Linear(inputs, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        parts = []
        if numbers.shape[1]:
            parts.append(self.numbers(numbers).flatten(1) if self.numbers is not None else numbers)
        if self.words is not None:
            parts.append(self.words(codes).to(numbers.dtype))
        x = torch.cat(parts, dim=1)
        if self.members > 1:
            out: Tensor = self.head(self.body(x[:, None].expand(-1, self.members, -1)))
            return out
        return self.head(self.body(x))[:, None]


class TokenTransformer(nn.Module):
    """A token for each column and one for the answer, through a transformer (FT-Transformer, arXiv 2106.11959).

    numbers (rows, features), codes (rows, columns) -> (rows, 1, outputs).
    """

    def __init__(
        self, width: int, cardinalities: Sequence[int], outputs: int, *, d_model: int, heads: int, layers: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        bound = 1 / math.sqrt(d_model)
        self.answer = nn.Parameter(torch.empty(1, 1, d_model).uniform_(-bound, bound))
        self.weight = nn.Parameter(torch.empty(width, d_model).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width + len(cardinalities), d_model).uniform_(-bound, bound))
        self.words = nn.ModuleList(nn.Embedding(n, d_model) for n in cardinalities)
        layer = nn.TransformerEncoderLayer(
            d_model, heads, 2 * d_model, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, outputs)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        tokens = numbers[..., None] * self.weight  # (rows, features, d_model)
        if len(self.words):
            words = torch.stack([embed(codes[:, i]) for i, embed in enumerate(self.words)], dim=1)
            tokens = torch.cat([tokens, words], dim=1)
        tokens = torch.cat([self.answer.expand(len(numbers), -1, -1), tokens + self.bias], dim=1)
        return self.head(self.norm(self.body(tokens)[:, 0]))[:, None]
