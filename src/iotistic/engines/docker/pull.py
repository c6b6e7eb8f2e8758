"""The stream of a pull: progress summed over layers, and the errors hidden inside it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec

from iotistic.engines.docker.connection import Connection
from iotistic.engines.docker.credentials import auth_header
from iotistic.engines.docker.deadlines import LIST_S, PULL_IDLE_S
from iotistic.engines.docker.errors import EngineAnswer, general, pull_error
from iotistic.engines.docker.lines import next_line
from iotistic.engines.protocol import Credentials, ProgressSink, PullProgress
from iotistic.model.errors import EngineUnavailable, Refused
from iotistic.model.image import ImageRef

_LAYERS_MAX = 2_000
_LOADED = frozenset({"Download complete", "Verifying Checksum", "Extracting", "Pull complete"})


class _Detail(msgspec.Struct):
    current: int | None = None
    total: int | None = None


class _ErrorDetail(msgspec.Struct):
    message: str = ""


class _Line(msgspec.Struct, rename="camel"):
    status: str = ""
    id: str = ""
    progress_detail: _Detail | None = None
    error: str | None = None
    error_detail: _ErrorDetail | None = None


_decoder = msgspec.json.Decoder(_Line)


async def pull_image(
    connection: Connection,
    image: ImageRef,
    login: Credentials | None,
    progress: ProgressSink,
    *,
    platform: str = "",
) -> None:
    """Pull, reading the stream to its end, then ask the engine whether it has the image."""
    name = image.familiar
    lines = PullStream(name)
    try:
        async with connection.stream(
            "POST",
            "images/create",
            params={"fromImage": image.repository, "tag": image.digest or image.tag}
            | ({"platform": platform} if platform else {}),
            headers={"X-Registry-Auth": auth_header(login, image.host)} if login else None,
            within_s=PULL_IDLE_S,
        ) as response:
            async with asyncio.timeout(PULL_IDLE_S) as idle:
                while line := await next_line(response, "pull"):
                    idle.reschedule(asyncio.get_running_loop().time() + PULL_IDLE_S)
                    if (now := lines.take(line)) is not None:
                        progress(now)
    except EngineAnswer as answer:
        raise pull_error(answer.text, name) from answer
    except TimeoutError as error:
        raise EngineUnavailable(
            f"pull {name}: no progress for {PULL_IDLE_S:.0f} s", code="registry-unavailable"
        ) from error
    try:
        await connection.fetch("GET", f"images/{image.canonical}/json", within_s=LIST_S)
    except EngineAnswer as answer:
        if answer.status == 404:
            raise Refused(
                f"pull {name}: the engine says it is done, and has no such image",
                code="image-not-found",
            ) from answer
        raise general(answer, f"look at image {name}") from answer


@dataclass(slots=True)
class PullStream:
    """Takes the lines of one pull of `image`; says how far it is."""

    image: str
    _layers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, line: bytes) -> PullProgress | None:
        """Read one line; returns the progress when it changed.

        Raises what `pull_error` makes of an error inside the stream, and EngineUnavailable for
        what is not a line of a pull.
        """
        try:
            entry = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineUnavailable(f"the engine's pull of {self.image} cannot be read") from error
        text = (entry.error_detail.message if entry.error_detail else "") or entry.error
        if text:
            raise pull_error(text, self.image)
        return self._progress(entry)

    def _progress(self, entry: _Line) -> PullProgress | None:
        before = self._layers.get(entry.id)
        detail = entry.progress_detail
        total = (detail.total or 0) if detail else 0
        if entry.status == "Downloading" and detail and total > 0:
            now = (max(0, min(detail.current or 0, total)), total)
        elif entry.status in _LOADED and before is not None:
            now = (before[1], before[1])  # what is being unpacked was downloaded whole
        else:
            return None
        if now == before or (before is None and len(self._layers) >= _LAYERS_MAX):
            return None
        self._layers[entry.id] = now
        return PullProgress(
            done_bytes=sum(done for done, _ in self._layers.values()),
            total_bytes=sum(total for _, total in self._layers.values()),
        )
