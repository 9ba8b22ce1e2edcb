"""Checkpoints of other programs, read as data: tensors, plain values and NumPy's numbers, and nothing else.

A checkpoint is a pickle, and a pickle may name any function to be called while it is read. torch's weights-only reader
refuses all but what rebuilds tensors and plain values. nnU-Net's checkpoints hold NumPy's numbers too (its losses), so
the two names behind those are let in, standing for functions of our own that can make nothing but a number.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ModelError
from core.models.archives import AGAIN, archive_fault

MAX_BYTES = 4 * 1024**3


class _Kind:
    """Stands for NumPy's dtype while reading; holds its code only."""

    def __init__(self, code: str, *_rest: Any) -> None:
        if not re.fullmatch(r"[biuf][1248]", code):
            raise pickle.UnpicklingError(f"a NumPy value of kind {code!r}")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            raise pickle.UnpicklingError("a NumPy value of another byte order")


def _number(kind: _Kind, content: bytes) -> float:
    return float(np.frombuffer(content, np.dtype(kind.code))[0])


_NUMBERS = [
    (_Kind, "numpy.dtype"),
    *((_number, f"numpy.{place}.multiarray.scalar") for place in ("core", "_core")),
    # Since NumPy 1.25 each dtype is a class of its own.
    *((_Kind, f"numpy.dtypes.{name}DType") for name in ("Float32", "Float64", "Int32", "Int64", "Bool")),
]


def read_checkpoint(content: bytes, where: Path) -> Any:
    """The tree of a .pt or .pth file, on the CPU. Raises ModelError for anything beyond tensors and plain values."""
    import torch

    if content[:2] == b"PK" and b"constants.pkl" in content[-(1 << 22) :]:
        raise ModelError(
            "the weights are a TorchScript program, which would run as it is", where=where,
            mend="Save the network's state_dict and import that.",
        )  # fmt: skip
    if fault := archive_fault(io.BytesIO(content), MAX_BYTES):
        raise ModelError(f"the weights are not readable ({fault})", where=where, mend=AGAIN)
    try:
        with torch.serialization.safe_globals(_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other protocols of pickle: what matters of them is raised
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        # The reader raises whatever a broken file leads to.
        found = re.search(r"(?:GLOBAL|global|class|function)\s+`?([\w.]+)`? ", str(error))
        # What the reader says of its own arguments helps nobody who did not write it.
        reason = f"it names {found[1]}" if found and "." in found[1] else "it is damaged or of another kind"
        raise ModelError(
            f"the weights are not plain data ({reason}), so they were not read", where=where,
            mend="Ask the model's makers for its weights as a plain state_dict or as safetensors.",
        ) from None  # fmt: skip


def tensors(tree: Any, where: Path) -> dict[str, Any]:
    """The tensors of a state_dict by name, the prefixes of wrappers taken off."""
    import torch

    if not isinstance(tree, dict) or not tree:
        raise ModelError("the checkpoint holds no weights", where=where)
    found = {}
    for name, value in tree.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            raise ModelError(f"the checkpoint's {str(name)[:80]!r} is no tensor", where=where)
        found[re.sub(r"^(?:module\.|_orig_mod\.)+", "", name)] = value
    return found
