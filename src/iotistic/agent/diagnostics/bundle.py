"""The support bundle: a tar.gz made on the way out, one part in memory at a time.

What it may hold is bounded, part by part and in all; what was left out is in `manifest.json`.
"""

from __future__ import annotations

import asyncio
import json
import tarfile
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iotistic.agent.diagnostics.scrubber import Scrubber
from iotistic.model.errors import IotisticError

PART_BYTES_MAX = 1024 * 1024
BUNDLE_BYTES_MAX = 16 * 1024 * 1024
PART_TIMEOUT_S = 20.0
FOLDER = "iotistic-support"
_BLOCK = 512
README = """\
A support bundle of an Iotistic Edge device: what the agent knows of itself and of its apps.

Secrets are masked (***): by the names of fields, and wherever a known secret stands, also in
base64 or as part of an address. Names of apps, services and images, addresses and the agent's log
are in here: look through it before you pass it on. manifest.json says what each part is, and what
was cut or left out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a bundle. `read` gives a JSON document, or a list for a file of lines.

    Of lines that are too many the last ones are kept.
    """

    name: str
    read: Callable[[], Awaitable[Any]]


async def write_bundle(
    parts: Sequence[Part], scrubber: Scrubber, *, wall_ms: int
) -> AsyncGenerator[bytes, None]:
    """The bytes of the bundle. One part that fails is told in the manifest, and others go on."""
    archive = _Archive(wall_ms)
    yield archive.file("README.txt", README.encode())
    manifest: list[dict[str, Any]] = []
    size = 0
    for part in parts:
        entry: dict[str, Any] = {"name": part.name}
        manifest.append(entry)
        if size >= BUNDLE_BYTES_MAX:
            entry["leftOut"] = f"the bundle has {BUNDLE_BYTES_MAX} bytes already"
            continue
        data = await _read(part, scrubber, entry)
        if data is not None:
            size += len(data)
            entry["bytes"] = len(data)
            yield archive.file(part.name, data)
    told = scrubber.document({"parts": manifest, "madeAt": wall_ms})
    yield archive.file("manifest.json", told.encode("utf-8", "replace"))
    yield archive.end()


async def _read(part: Part, scrubber: Scrubber, entry: dict[str, Any]) -> bytes | None:
    try:
        async with asyncio.timeout(PART_TIMEOUT_S):
            found = await part.read()
    except TimeoutError:
        entry["error"] = f"no answer within {PART_TIMEOUT_S:.0f} s"
        return None
    except IotisticError as error:
        entry["error"] = f"{error.code}: {error.message}"
        return None
    except Exception as error:  # noqa: BLE001 - when things are broken, what is left is worth most
        entry["error"] = type(error).__name__
        return None
    return await asyncio.to_thread(_encode, found, scrubber, entry)


def _encode(found: Any, scrubber: Scrubber, entry: dict[str, Any]) -> bytes:
    if isinstance(found, list):
        return _lines(found, scrubber, entry)
    text = scrubber.document(found)
    data = json.dumps(json.loads(text), indent=1, ensure_ascii=False).encode("utf-8", "replace")
    if len(data) > PART_BYTES_MAX:
        entry["cut"] = f"the first {PART_BYTES_MAX} of {len(data)} bytes"
        # Cut in the middle of whatever: told by what it is called no more.
        return data[:PART_BYTES_MAX]
    return data


def _lines(found: list[Any], scrubber: Scrubber, entry: dict[str, Any]) -> bytes:
    kept: list[bytes] = []
    size = 0
    for item in reversed(found):
        line = scrubber.document(item).encode("utf-8", "replace") + b"\n"
        size += len(line)
        if size > PART_BYTES_MAX:
            entry["cut"] = f"the last {len(kept)} of {len(found)} lines"
            break
        kept.append(line)
    return b"".join(reversed(kept))


class _Archive:
    """tar inside of gzip, without a file in between."""

    def __init__(self, wall_ms: int) -> None:
        self._gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        self._at_s = max(0, wall_ms // 1000)

    def file(self, name: str, data: bytes) -> bytes:
        """One file, for its owner's eyes."""
        info = tarfile.TarInfo(f"{FOLDER}/{name}")
        info.size, info.mode, info.mtime = len(data), 0o600, self._at_s
        padding = b"\0" * (-len(data) % _BLOCK)
        return self._gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + data + padding)

    def end(self) -> bytes:
        """What closes it."""
        return self._gzip.compress(b"\0" * (2 * _BLOCK)) + self._gzip.flush()
