"""A risk score from MRI, PET and clinical values: Swin encoders, cross-attention both ways, fusion, regression.

Any part may be missing: an image that is not there is a learned token in each place, a clinical value a learned one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.nets.swin import PATCH, FeedForward, SwinEncoder, last_grid, patch_grid, whole_patches

# Of MRI and PET: the last stage's tokens (B, n, width) of each, then what is read directly (B, fusion) of each.
Encoded = tuple[Tensor, Tensor, Tensor, Tensor]


class CrossAttention(nn.Module):
    """Tokens of one image ask those of the other (B, n, width), (B, m, width) -> (B, n, width)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.asking_norm, self.asked_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        batch, count, width = asking.shape
        query = self.query(self.asking_norm(asking)).reshape(batch, count, self.heads, -1).transpose(1, 2)
        pair = self.key_value(self.asked_norm(asked)).reshape(batch, asked.shape[1], 2, self.heads, -1)
        key, value = pair.permute(2, 0, 3, 1, 4).unbind()
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        found: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return found


class CrossBlock(nn.Module):
    """MRI asks PET and PET asks MRI, both as they came in; then a feed-forward layer for each."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.mri_asks, self.pet_asks = (CrossAttention(width, heads, dropout) for _ in range(2))
        self.mri_norm, self.pet_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mri_feed, self.pet_feed = FeedForward(width, dropout), FeedForward(width, dropout)

    def forward(self, mri: Tensor, pet: Tensor) -> tuple[Tensor, Tensor]:
        mri, pet = mri + self.mri_asks(mri, pet), pet + self.pet_asks(pet, mri)
        return mri + self.mri_feed(self.mri_norm(mri)), pet + self.pet_feed(self.pet_norm(pet))


class Readout(nn.Module):
    """(B, places, width) -> (B, places * features): a few features of each place, side by side.

    Images lie in one space, so a place means the same in every subject; a mean over places would forget which is which.
    """

    def __init__(self, width: int, places: int, features: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(width), nn.Linear(width, features)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.reduce(self.norm(tokens)).flatten(1)
        return found


class Direct(nn.Module):
    """(B, 1, x, y, z) -> (B, out): a linear reading of all patches, past the transformer.

    Few subjects are enough to learn it, as for ridge regression on voxels; the transformer adds what is not linear.
    """

    def __init__(self, shape: Sequence[int], features: int, out: int) -> None:
        super().__init__()
        self.embed = nn.Conv3d(1, features, PATCH, stride=PATCH, bias=False)
        self.read = nn.Linear(math.prod(patch_grid(shape)) * features, out, bias=False)
        nn.init.normal_(self.read.weight, std=1e-3)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.read(self.embed(whole_patches(image)).flatten(1))
        return found


class ClinicalEncoder(nn.Module):
    """(B, features) standardised values, NaN where missing -> (B, width)."""

    def __init__(self, features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(features))
        self.layers = nn.Sequential(
            nn.Linear(2 * features, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width),
            nn.LayerNorm(width),
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        known = values.isfinite()
        filled = torch.where(known, values, self.missing.to(values.dtype))
        found: Tensor = self.layers(torch.cat([filled, known.to(filled.dtype)], dim=1))
        return found


class RiskNetwork(nn.Module):
    """mri, pet (B, 1, *shape), clinical (B, features) with NaN where missing, present (B, 2) bool -> scores (B,) 0..1.

    present: whether MRI and PET are there; what stands in a volume that is not counts for nothing.
    """

    def __init__(
        self, *, shape: Sequence[int], features: int, width: int, depths: Sequence[int], heads: Sequence[int],
        window: int, readout: int, direct: int, clinical: int, fusion: int, cross_blocks: int, cross_heads: int,
        dropout: float, drop_path: float, checkpointing: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = tuple(shape)
        last = width * 2 ** (len(depths) - 1)
        self.mri, self.pet = (
            SwinEncoder(
                width=width, depths=depths, heads=heads, window=window, drop_path=drop_path,
                checkpointing=checkpointing,
            )
            for _ in range(2)
        )  # fmt: skip
        # What a patch's place adds, as large as what it shows, so that the norms that follow keep how far it departs
        # from the usual, and not only in which way.
        patches = math.prod(patch_grid(shape))
        self.mri_places, self.pet_places = (nn.Parameter(torch.empty(1, patches, width)) for _ in range(2))
        places = math.prod(last_grid(shape, len(depths)))
        self.places = nn.Parameter(torch.empty(1, places, last))
        self.missing_mri, self.missing_pet = (nn.Parameter(torch.empty(1, 1, last)) for _ in range(2))
        for parameter in (self.mri_places, self.pet_places):
            nn.init.normal_(parameter)
        for parameter in (self.places, self.missing_mri, self.missing_pet):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.cross = nn.ModuleList(CrossBlock(last, cross_heads, dropout) for _ in range(cross_blocks))
        self.mri_readout, self.pet_readout = (Readout(last, places, readout) for _ in range(2))
        self.mri_direct, self.pet_direct = (
            Direct(shape, direct, fusion) if direct else None for _ in range(2)
        )  # fmt: skip
        self.fusion_width = fusion
        self.clinical = ClinicalEncoder(features, clinical, dropout) if features else None
        self.fusion = nn.Sequential(
            nn.Linear(2 * places * readout + (clinical if features else 0), fusion), nn.LayerNorm(fusion), nn.GELU(),
            nn.Dropout(dropout),
        )  # fmt: skip
        self.head = nn.Linear(fusion, 1)

    def begin_at(self, score: float) -> None:
        """Answer about this score before anything is learned."""
        score = min(max(score, 0.01), 0.99)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.fill_(math.log(score / (1 - score)))

    def encode(self, mri: Tensor, pet: Tensor, present: Tensor) -> Encoded:
        """What is known of both images; learned tokens, and nothing read directly, where there is none."""
        return (
            self._encode(self.mri, mri, self.mri_places, self.missing_mri, present[:, 0]),
            self._encode(self.pet, pet, self.pet_places, self.missing_pet, present[:, 1]),
            self._direct(self.mri_direct, mri, present[:, 0]),
            self._direct(self.pet_direct, pet, present[:, 1]),
        )

    def _direct(self, direct: nn.Module | None, image: Tensor, there: Tensor) -> Tensor:
        if direct is None:
            return image.new_zeros(len(image), self.fusion_width)
        found: Tensor = direct(image)
        return found * there[:, None]

    def _encode(self, encoder: nn.Module, image: Tensor, places: Tensor, missing: Tensor, there: Tensor) -> Tensor:
        if image.shape[2:] != self.shape:
            raise ValueError(f"a volume of {tuple(image.shape[2:])} was given, not {self.shape}")
        absent = missing.expand(len(image), self.places.shape[1], -1)
        # In training every weight takes part in each step, as several processes need it.
        if self.training or bool(there.any()):
            tokens = encoder(image, places)
            absent = torch.where(there[:, None, None], tokens, absent.to(tokens.dtype))
        return absent + self.places

    def without(self, tokens: Encoded, kept: Tensor) -> Encoded:
        """What `encode` gave, as if only these images were there: kept (B, 2) bool, of MRI and PET."""
        found = []
        for place, missing in enumerate((self.missing_mri, self.missing_pet)):
            absent = (missing + self.places).to(tokens[place].dtype)
            found.append(torch.where(kept[:, place, None, None], tokens[place], absent))
        return found[0], found[1], tokens[2] * kept[:, :1], tokens[3] * kept[:, 1:]

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Within the block what follows the encoders drops features as in training, so that answers vary."""
        dropping = [
            layer
            for part in (self.cross, self.clinical, self.fusion)
            if part is not None
            for layer in part.modules()
            if isinstance(layer, nn.Dropout | CrossAttention)
        ]
        before = [layer.training for layer in dropping]
        for layer in dropping:
            layer.training = True
        try:
            yield
        finally:
            for layer, training in zip(dropping, before, strict=True):
                layer.training = training

    @staticmethod
    def repeated(tokens: Encoded, times: int) -> Encoded:
        """What `encode` gave of one subject, as a batch of copies."""
        mri, pet, mri_read, pet_read = tokens
        return (
            mri.expand(times, -1, -1), pet.expand(times, -1, -1), mri_read.expand(times, -1),
            pet_read.expand(times, -1),
        )  # fmt: skip

    def each(self, tokens: Encoded, clinical: Tensor) -> Tensor:
        """(members, B) scores of the networks in this one: itself alone."""
        return self.fuse(tokens, clinical)[None]

    @property
    def members(self) -> list[RiskNetwork]:
        return [self]

    def fuse(self, tokens: Encoded, clinical: Tensor) -> Tensor:
        """Scores (B,) of encoded images and standardised clinical values."""
        mri, pet, mri_read, pet_read = tokens
        for block in self.cross:
            mri, pet = block(mri, pet)
        parts = [self.mri_readout(mri), self.pet_readout(pet)]
        if self.clinical is not None:
            parts.append(self.clinical(clinical))
        joined = self.fusion[0](torch.cat(parts, dim=1)) + mri_read + pet_read
        logit: Tensor = self.head(self.fusion[1:](joined))
        return logit[:, 0].float().sigmoid()

    def forward(self, mri: Tensor, pet: Tensor, clinical: Tensor, present: Tensor) -> Tensor:
        return self.fuse(self.encode(mri, pet, present), clinical)


class RiskEnsemble(nn.Module):
    """Several networks that begin with other random weights; their mean is the score (Lakshminarayanan 2017).

    Takes and gives what a RiskNetwork does; what `encode` gives is a list with that of each member.
    """

    def __init__(self, members: int, build: Callable[[], RiskNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(build() for _ in range(members))

    @property
    def members(self) -> list[RiskNetwork]:
        return list(self.networks)

    def begin_at(self, score: float) -> None:
        for network in self.members:
            network.begin_at(score)

    def encode(self, mri: Tensor, pet: Tensor, present: Tensor) -> list[Encoded]:
        return [network.encode(mri, pet, present) for network in self.members]

    def without(self, tokens: list[Encoded], kept: Tensor) -> list[Encoded]:
        return [network.without(pair, kept) for network, pair in zip(self.members, tokens, strict=True)]

    @staticmethod
    def repeated(tokens: list[Encoded], times: int) -> list[Encoded]:
        return [RiskNetwork.repeated(pair, times) for pair in tokens]

    def each(self, tokens: list[Encoded], clinical: Tensor) -> Tensor:
        """(members, B) scores."""
        pairs = zip(self.members, tokens, strict=True)
        return torch.stack([network.fuse(pair, clinical) for network, pair in pairs])

    def fuse(self, tokens: list[Encoded], clinical: Tensor) -> Tensor:
        return self.each(tokens, clinical).mean(dim=0)

    @contextmanager
    def sampling(self) -> Iterator[None]:
        with ExitStack() as stack:
            for network in self.members:
                stack.enter_context(network.sampling())
            yield

    def forward(self, mri: Tensor, pet: Tensor, clinical: Tensor, present: Tensor) -> Tensor:
        return self.fuse(self.encode(mri, pet, present), clinical)
