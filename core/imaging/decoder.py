"""Decoding compressed pixels in a child process, so that damaged or hostile ones end as an error message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from core.errors import UnreadableScan

_PROGRAM = Path(__file__).with_name("codec_process.py")
_JPEG = "1.2.840.10008.1.2.4."
DECODED = {
    "1.2.840.10008.1.2.5",  # RLE
    *(_JPEG + end for end in ("50", "51", "57", "70")),  # JPEG
    *(_JPEG + end for end in ("80", "81")),  # JPEG-LS
    *(_JPEG + end for end in ("90", "91", "201", "202", "203")),  # JPEG 2000
    *(_JPEG + end for end in ("110", "111", "112")),  # JPEG XL
}
# What the child's libraries need by themselves, and the pixels' share of each frame in its several steps.
_BASE_BYTES, _FRAME_SHARE = 1536 * 2**20, 24
# Enough for any real frame on a slow and busy computer, and short enough to wait for.
_BASE_SECONDS, _BYTES_PER_SECOND = 6.0, 4e6


class Decoder:
    """A child process that is started at the first frame and ends with the block; one for a series.

    A frame on which it dies or takes too long raises UnreadableScan, and the next frame gets a new child.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._memory = 0

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def decode(self, data: bytes, syntax: str, rows: int, columns: int, itemsize: int, where: Path) -> bytes:
        """One frame as stored: rows x columns little-endian numbers of so many bytes."""
        expected = rows * columns * itemsize
        process = self._started(expected)
        seconds = _BASE_SECONDS + expected / _BYTES_PER_SECOND
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(seconds, give_up)
        watch.start()
        try:
            answer, pixels = _asked(process, data, syntax, rows, columns, itemsize)
        except (OSError, ValueError):  # it died, or what it said is no answer
            self._end()
            what = "took too long to decode" if late.is_set() else "crashed the decoder or took too much memory"
            raise UnreadableScan(f"the pixels {what}", where=where, mend="Copy or export this file again.") from None
        finally:
            watch.cancel()
        if "error" in answer or len(pixels) != expected:
            raise UnreadableScan(
                "the compressed pixels are damaged, cut off or other than declared",
                where=where,
                mend="Copy or export this file again.",
            )
        return pixels

    def _started(self, frame_bytes: int) -> subprocess.Popen[bytes]:
        memory = _BASE_BYTES + _FRAME_SHARE * frame_bytes
        if self._process is not None and memory > self._memory:
            self._end()
        if self._process is None:
            self._memory = memory
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), str(memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not sent is not missed
                    stream.close()
        process.wait()


def _asked(
    process: subprocess.Popen[bytes], data: bytes, syntax: str, rows: int, columns: int, itemsize: int
) -> tuple[dict[str, object], bytes]:
    """One request and its answer. Raises OSError or ValueError where the child is gone."""
    if process.stdin is None or process.stdout is None:
        raise OSError("no pipe to the child")
    request = {"syntax": syntax, "rows": rows, "columns": columns, "bytes": itemsize, "length": len(data)}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.write(data)
    process.stdin.flush()
    answer = json.loads(process.stdout.readline(1000))
    if not isinstance(answer, dict):
        raise ValueError("no answer")
    pixels = b""
    if "length" in answer:
        pixels = process.stdout.read(min(int(answer["length"]), rows * columns * itemsize))
    return answer, pixels
