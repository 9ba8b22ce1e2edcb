"""A network as OpenVINO's graph: its layers in a small file, its weights left where they are, in weights.safetensors.

OpenVINO keeps a network as an XML text and a file of constants that the text points into. Here those constants that
are weights point into weights.safetensors itself, and only the rest (axes, shapes; some hundred bytes) is kept with
the text. So the weights are there once, and `graph.zip` is some ten kilobytes.

A graph is read by native code that trusts it, so it is taken only from two places: from a package that came with the
program, or from the cache in the home folder, where this computer's own conversions are. A graph in a package from
elsewhere is never read.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from core.files import sha256
from core.inference.package import ModelPackage, graph_file
from core.paths import home

FORMAT = 1  # raised when graphs that were made before must be made again
MAX_BYTES = 64 * 1024**2
_LAYERS, _CONSTANTS = "model.xml", "constants.bin"
_ALIGNED = 64


class Unusable(Exception):
    """The graph is damaged, or OpenVINO is not whole here or cannot carry the graph out."""


@dataclass(frozen=True)
class Graph:
    """OpenVINO's XML, and the constants that follow the weights."""

    xml: bytes
    constants: bytes

    def with_weights(self, weights: bytes) -> bytes:
        """What the XML points into."""
        return b"".join((weights, bytes(_padding(len(weights))), self.constants))

    def pack(self) -> bytes:
        """The bytes of a graph.zip, the same for the same graph."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in ((_LAYERS, self.xml), (_CONSTANTS, self.constants)):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()


def find(package: ModelPackage) -> Path | None:
    """The package's graph, if there is one that can be trusted."""
    shipped = package.folder / graph_file(package.place)
    if package.bundled and shipped.is_file() and sha256(shipped) == package.manifest.graph_sha256:
        return shipped
    cached = cache_path(package)
    return cached if cached.is_file() else None


def cache_path(package: ModelPackage) -> Path:
    """Where this computer keeps its graph of the package: named by all that the graph depends on."""
    manifest = package.manifest
    plan = [manifest.plan.channels, manifest.plan.outputs, manifest.plan.patch_size, package.activation]
    depends = json.dumps([FORMAT, manifest.sha256, manifest.network, plan], sort_keys=True)
    return home() / "cache" / "openvino" / f"{hashlib.sha256(depends.encode()).hexdigest()}.zip"


def read(path: Path) -> Graph:
    """Read a graph.zip. Raises Unusable where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = []
            for name in (_LAYERS, _CONSTANTS):
                with archive.open(name) as stream:
                    contents.append(stream.read(MAX_BYTES))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Unusable(f"{path} is damaged ({error})") from error
    return Graph(contents[0], contents[1])


def pointing_into(weights: bytes, xml: bytes, constants: bytes) -> Graph:
    """The graph of OpenVINO's own two files, with every constant that is a tensor of `weights` taken from there."""
    begin = 8 + int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8:begin])
    places = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            places[_digest(weights[begin + first : begin + last])] = begin + first
    rest = bytearray()
    base = len(weights) + _padding(len(weights))

    def moved(found: re.Match[bytes]) -> bytes:
        offset, size = int(found[1]), int(found[2])
        content = constants[offset : offset + size]
        digest = _digest(content)
        if digest not in places:
            places[digest] = base + len(rest)
            rest.extend(content + bytes(_padding(len(content))))
        return b'offset="%d" size="%d"' % (places[digest], size)

    return Graph(re.sub(rb'offset="(\d+)" size="(\d+)"', moved, xml), bytes(rest))


def _padding(length: int) -> int:
    return -length % _ALIGNED


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
