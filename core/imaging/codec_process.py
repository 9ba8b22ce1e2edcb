"""The child process that decodes compressed pixels: all that a stranger's bytes can crash or fill is this process.

It is run as a script and imports nothing of the program. Requests and answers are a line of JSON, then bytes:
{"syntax", "rows", "columns", "bytes", "length"} and the compressed frame; {"length"} and the pixels as stored, row by
row in little endian, or {"error"}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import IO, Any

import numpy as np

_JPEG = "1.2.840.10008.1.2.4."


def main() -> int:
    _limit(int(sys.argv[1]))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["length"])
        try:
            pixels = _decode(data, request)
        except BaseException as error:  # codecs raise nearly anything
            _answer(answers, {"error": type(error).__name__})
        else:
            _answer(answers, {"length": len(pixels)}, pixels)
    return 0


def _limit(memory: int) -> None:
    """Take no more than so many bytes of memory, and leave no core file; Windows has no such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):  # elsewhere the limit is not kept, or counts what is shared
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        memory = memory if most == resource.RLIM_INFINITY else min(memory, most)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(stream: IO[bytes], words: dict[str, Any], data: bytes = b"") -> None:
    stream.write(json.dumps(words).encode() + b"\n")
    stream.write(data)
    stream.flush()


def _decode(data: bytes, request: dict[str, Any]) -> bytes:
    rows, columns, width = request["rows"], request["columns"], request["bytes"]
    if request["syntax"] == "1.2.840.10008.1.2.5":
        from imagecodecs import dicomrle_decode

        pixels = bytes(dicomrle_decode(data, f"<u{width}"))
    else:
        values = _codec(request["syntax"])(data)
        if values.shape != (rows, columns) or values.dtype.kind not in "iu":
            raise ValueError("other pixels than declared")
        if values.dtype.itemsize > width:
            raise ValueError("larger pixels than declared")
        kind = values.dtype.kind  # a signed value keeps its sign in a wider type
        pixels = values.astype(f"<{kind}{width}", copy=False).tobytes()
    if len(pixels) != rows * columns * width:
        raise ValueError("other pixels than declared")
    return pixels


def _codec(syntax: str) -> Callable[[bytes], np.ndarray[Any, Any]]:
    import imagecodecs

    if syntax in (_JPEG + "80", _JPEG + "81"):
        return imagecodecs.jpegls_decode
    if syntax in (_JPEG + "90", _JPEG + "91", _JPEG + "201", _JPEG + "202", _JPEG + "203"):
        return imagecodecs.jpeg2k_decode
    if syntax in (_JPEG + "110", _JPEG + "111", _JPEG + "112"):
        return imagecodecs.jpegxl_decode
    return imagecodecs.jpeg8_decode  # baseline, extended (12 bits), lossless


if __name__ == "__main__":
    sys.exit(main())
