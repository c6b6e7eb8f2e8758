"""Start, stop, restart, pause, unpause, remove: each also succeeds when it is so already."""

from __future__ import annotations

import math
from contextlib import suppress
from ipaddress import ip_address

import msgspec

from iotistic.engines.docker.connection import Connection, decode
from iotistic.engines.docker.deadlines import LIST_S, MUTATE_S, STOP_MARGIN_S
from iotistic.engines.docker.errors import (
    EngineAnswer,
    disk_full,
    general,
    is_disk_full,
    layers_missing,
    network_twins,
    taken_port,
)
from iotistic.model.errors import EngineUnavailable, IotisticError, Refused

_ENGINE_GOING = ("shutting down", "transport is closing", "connection refused", "context canceled")


class _State(msgspec.Struct):
    Status: str = ""
    StartedAt: str = ""


class _Inspected(msgspec.Struct):
    State: _State


class _Published(msgspec.Struct):
    IP: str = ""
    PublicPort: int = 0


class _Publisher(msgspec.Struct):
    Names: list[str] = []
    Ports: list[_Published] | None = None


class Lifecycle:
    """What one container does, by its id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def started_at(self, container_id: str) -> str | None:
        """The engine's text for when it last started; None when it is not there."""
        state = await self._state(container_id)
        return None if state is None else state.StartedAt

    async def start(self, container_id: str) -> None:
        """Start it."""
        try:
            await self._post(container_id, "start")
        except EngineAnswer as answer:
            raise await self._start_error(answer, container_id) from answer

    async def stop(self, container_id: str, *, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` make it."""
        try:
            try:
                await self._post(container_id, "stop", grace_s=grace_s)
            except EngineAnswer as answer:
                if "is paused" not in answer.text:
                    raise
                await self.unpause(container_id)
                await self._post(container_id, "stop", grace_s=grace_s)
        except EngineAnswer as answer:
            if answer.status != 404:
                raise general(answer, _what("stop", container_id)) from answer

    async def restart(self, container_id: str, *, grace_s: float, seen_start: str | None) -> None:
        """Restart it, unless it has started since `seen_start`."""
        if seen_start is not None and await self.started_at(container_id) not in (None, seen_start):
            return
        try:
            await self._post(container_id, "restart", grace_s=grace_s)
        except EngineAnswer as answer:
            raise await self._start_error(answer, container_id) from answer

    async def pause(self, container_id: str) -> None:
        """Freeze it."""
        try:
            await self._post(container_id, "pause")
        except EngineAnswer as answer:
            if "already paused" not in answer.text:
                raise general(answer, _what("pause", container_id)) from answer

    async def unpause(self, container_id: str) -> None:
        """Let it go on."""
        try:
            await self._post(container_id, "unpause")
        except EngineAnswer as answer:
            if "is not paused" not in answer.text:
                raise general(answer, _what("unpause", container_id)) from answer

    async def rename(self, container_id: str, name: str) -> None:
        """Give it another name."""
        path = f"containers/{container_id}/rename"
        try:
            await self._connection.fetch("POST", path, params={"name": name}, within_s=MUTATE_S)
        except EngineAnswer as answer:
            if "same name as its current name" in answer.text:
                return
            what = _what("rename", container_id)
            if "already in use" in answer.text:
                raise Refused(
                    f"{what}: {answer.text}",
                    code="name-taken",
                    remedy="remove or rename the other container",
                ) from answer
            raise general(answer, what) from answer

    async def remove(self, container_id: str) -> None:
        """Remove it; by force only when the engine itself has declared it dead."""
        try:
            await self._delete(container_id, force=False)
        except EngineAnswer as answer:
            state = await self._state(container_id) if answer.status >= 500 else None
            if state is None or state.Status != "dead":
                raise general(answer, _what("remove", container_id)) from answer
            try:
                await self._delete(container_id, force=True)
            except EngineAnswer as again:
                raise general(again, _what("remove", container_id)) from again

    async def _delete(self, container_id: str, *, force: bool) -> None:
        try:
            await self._connection.fetch(
                "DELETE",
                f"containers/{container_id}",
                params={"force": "1"} if force else None,
                within_s=MUTATE_S,
            )
        except EngineAnswer as answer:
            if answer.status != 404 and "already in progress" not in answer.text:
                raise

    async def _post(self, container_id: str, verb: str, *, grace_s: float | None = None) -> None:
        await self._connection.fetch(
            "POST",
            f"containers/{container_id}/{verb}",
            params=None if grace_s is None else {"t": str(math.ceil(grace_s))},
            within_s=MUTATE_S if grace_s is None else grace_s + STOP_MARGIN_S,
        )

    async def _state(self, container_id: str) -> _State | None:
        path = f"containers/{container_id}/json"
        try:
            content = await self._connection.fetch("GET", path, within_s=LIST_S)
        except EngineAnswer as answer:
            if answer.status == 404:
                return None
            raise general(answer, _what("look at", container_id)) from answer
        return decode(content, _Inspected, what="a container").State

    async def _start_error(self, answer: EngineAnswer, container_id: str) -> IotisticError:
        what = _what("start", container_id)
        text = answer.text.lower()
        if "network of a non running container" in text or (
            # The one whose network it is to share, not itself.
            "no such container" in text and container_id not in text
        ):
            return Refused(f"{what}: {answer.text}", code="start-failed")
        if "no such container" in text or answer.status == 409:
            return general(answer, what)
        if (twins := network_twins(answer, what)) is not None:
            return twins
        if (taken := taken_port(answer)) is not None:
            return await self._port_error(what, *taken)
        if is_disk_full(text):
            return disk_full(f"{what}: {answer.text}")
        if (missing := layers_missing(answer, what)) is not None:
            return missing
        if any(words in text for words in _ENGINE_GOING):
            return EngineUnavailable(f"{what}: {answer.text}")
        return Refused(f"{what}: {answer.text}", code="start-failed")

    async def _port_error(self, what: str, ip: str, port: int) -> Refused:
        owner = None
        with suppress(EngineAnswer, EngineUnavailable):  # then we only do not know the owner
            owner = await self._publisher(ip, port)
        holder = f"container {owner}" if owner else "a program outside of the engine"
        return Refused(
            f"{what}: port {port} is taken by {holder}",
            code="port-allocated",
            remedy="stop the other one, or publish another port",
        )

    async def _publisher(self, ip: str, port: int) -> str | None:
        content = await self._connection.fetch("GET", "containers/json", within_s=LIST_S)
        for found in decode(content, list[_Publisher], what="containers"):
            for published in found.Ports or ():
                everywhere = _is_everywhere(ip) or _is_everywhere(published.IP)
                if published.PublicPort == port and (everywhere or ip == published.IP):
                    return found.Names[0].removeprefix("/") if found.Names else None
        return None


def _is_everywhere(ip: str) -> bool:
    try:
        return not ip or ip_address(ip.strip("[]")).is_unspecified
    except ValueError:
        return False


def _what(verb: str, container_id: str) -> str:
    return f"{verb} container {container_id[:12]}"
