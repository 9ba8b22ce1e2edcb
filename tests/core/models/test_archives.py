"""Checkpoints that are not whole are told before anything of them is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch

from core.errors import ModelError
from core.inference.importing.checkpoint import read_checkpoint
from core.models.archives import archive_fault
from core.training.checkpoints import load

MOST = 1 << 20


def saved() -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": {"network.weight": torch.arange(2000.0)}}, file)
    return file.getvalue()


def compressed() -> bytes:
    """A small file whose one part is a hundred megabytes when it is read."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(MOST - 1))
    return file.getvalue()


def flipped() -> bytes:
    """One number of the weights is another one, which torch reads without a word."""
    content = saved()
    at = content.index(torch.arange(900.0, 904.0).numpy().tobytes())
    return content[:at] + b"\xff" + content[at + 1 :]


def test_a_whole_checkpoint_and_a_file_that_is_no_archive_have_no_fault() -> None:
    assert archive_fault(io.BytesIO(saved()), MOST) == "" and archive_fault(io.BytesIO(b"\x80\x02}q\0."), MOST) == ""
    assert archive_fault(io.BytesIO(saved()), 100).startswith("its parts are larger")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"), (saved()[:3000], "cut short or damaged"), (flipped(), "cut short or damaged"),
        (compressed(), "compressed"),
    ],
)  # fmt: skip
def test_one_that_is_not_whole_is_refused_in_plain_words(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=told):
        load(path)
    with pytest.raises(ModelError, match=f"not readable .*{told}.*Copy or download it again"):
        read_checkpoint(content, path)
