"""Where a simulated engine's state lies: in memory, or in a file that outlives the process."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from iotistic.engines.simulated.state import EngineState
from iotistic.model.errors import EngineUnavailable
from iotistic.model.secret import Secret

T = TypeVar("T")

_FILE_MODE = 0o600


def _text_of(value: object) -> str:
    """What a specification has as a secret, and is a fingerprint of one here."""
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(type(value).__name__)


def _from_text(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(kind.__name__)


_encoder = msgspec.json.Encoder(enc_hook=_text_of)
_decoder = msgspec.json.Decoder(EngineState, dec_hook=_from_text)


class Shelf(Protocol):
    """Holds the state between changes, for one engine or several that are one and the same.

    `poll_s` is how soon a change by another process is looked for; None: there is none.
    """

    poll_s: float | None

    async def apply(self, change: Callable[[EngineState], T]) -> T:
        """Make one change, alone. What it did before it raised is kept as well."""
        ...

    async def changed(self, since: int, /) -> None:
        """Return when this process has changed the state since its counter was `since`."""
        ...


class MemoryShelf:
    """In memory. Several engines on it are one engine, used by several devices."""

    poll_s: float | None = None

    def __init__(self) -> None:
        self._state = EngineState()
        self._waiting: set[asyncio.Event] = set()

    async def apply(self, change: Callable[[EngineState], T]) -> T:
        """Make one change."""
        await asyncio.sleep(0)  # an engine is another process: others get their turn
        before = self._state.counter
        try:
            return change(self._state)
        finally:
            if self._state.counter != before:
                for event in self._waiting:
                    event.set()

    async def changed(self, since: int, /) -> None:
        """Return when the state has changed."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            while self._state.counter == since:
                await event.wait()
                event.clear()
        finally:
            self._waiting.remove(event)


class FileShelf:
    """In a JSON file (0600), which any number of processes may use at once.

    A change is read, made and written under a lock in one go, by a thread of its own; the file is
    replaced, never written over. So a process killed at any instant leaves the old or the new
    state. It is not synced: a power cut may cost it, and simulated services with it.
    Where `path` is a symbolic link, the file lies where it leads to, as if on another disk.
    """

    poll_s: float | None = 0.25

    def __init__(self, path: Path) -> None:
        self._path = path

    async def apply(self, change: Callable[[EngineState], T]) -> T:
        """Make one change."""
        return await asyncio.to_thread(self.apply_now, change)

    async def changed(self, _since: int, /) -> None:
        """Never return: changes are found by looking, whoever made them."""
        await asyncio.Event().wait()

    def apply_now(self, change: Callable[[EngineState], T]) -> T:
        """The same for a program without an event loop; blocks."""
        if self._path.is_symlink():
            self._path = self._path.resolve()
        try:
            lock = os.open(f"{self._path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE)
        except OSError as error:
            raise EngineUnavailable(f"the simulated engine's folder {self._path.parent}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state, before = self._load()
            try:
                return change(state)
            finally:
                self._save(state, before)
        finally:
            os.close(lock)

    def _load(self) -> tuple[EngineState, bytes]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return EngineState(), b""
        try:
            return _decoder.decode(content), content
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineUnavailable(
                f"the simulated engine's file {self._path} cannot be read",
                remedy="remove it, and the simulated engine starts empty",
            ) from error

    def _save(self, state: EngineState, before: bytes) -> None:
        content = _encoder.encode(state)
        if content == before:
            return
        new = self._path.with_name(f"{self._path.name}.new")
        file = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
        new.replace(self._path)
