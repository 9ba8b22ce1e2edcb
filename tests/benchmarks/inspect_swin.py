"""Our 3D Swin encoder beside MONAI's, forward, taking turns in one process; both answers against plain attention.

    python -m tests.benchmarks.inspect_swin REPEATS X Y Z

Same patches, widths, depths, heads and window; MONAI's eager code as it is by default. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import torch
from monai.networks.nets.swin_unetr import SwinTransformer

from core.models.nets.swin import SwinEncoder
from tests.core.models.test_swin import plain_attention


def main() -> None:
    repeats, *sides = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours = SwinEncoder().eval()
    theirs = SwinTransformer(1, 96, (7, 7, 7), (4, 4, 4), (2, 2, 2, 2), (3, 6, 12, 24)).eval()
    image = torch.randn(1, 1, *sides)
    seconds: dict[str, list[float]] = {"ours": [], "monai": []}
    with torch.inference_mode():
        for turn in range(1 + repeats):
            for name, encoder in (("ours", ours), ("monai", theirs)):
                began = time.perf_counter()
                encoder(image)
                if turn:  # the first warms up
                    seconds[name].append(time.perf_counter() - began)
        away = farthest(ours, image)
    ratios = [monai / own for own, monai in zip(seconds["ours"], seconds["monai"], strict=True)]
    found: dict[str, Any] = {
        "seconds": seconds, "ratio": statistics.median(ratios),
        "farthest_from_plain": away, "tokens": ours.maps(image)[0][0].shape[1],
    }  # fmt: skip
    print(json.dumps(found))


def farthest(encoder: SwinEncoder, image: torch.Tensor) -> float:
    """The largest difference of a block's attention from plain attention, over all blocks but the first stage's.

    A plain attention of its 14,520 tokens would not fit into memory; tests compare smaller maps of the same code.
    """
    tokens, grid = encoder.patches(image)
    worst = 0.0
    for number, blocks in enumerate(encoder.stages):
        if number:
            tokens, grid = encoder.merges[number - 1](tokens, grid)
        for block in blocks:
            if number:
                asked = block.attention_norm(tokens)
                plain = plain_attention(block.attention, asked, grid)
                worst = max(worst, float((block.attention(asked, grid) - plain).abs().max()))
            tokens = block(tokens, grid)
    return worst


if __name__ == "__main__":
    main()
