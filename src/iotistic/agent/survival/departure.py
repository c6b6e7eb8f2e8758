"""From SIGTERM to the exit in seconds, whatever hangs: a thread hears the signals and counts."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

WITHIN_S = 8.0
"""Below the ten seconds that a person, or systemd after its own limit, waits."""
_HEARD = (signal.SIGTERM, signal.SIGINT)
_STDERR = 2
_FORCED = 128
_NOTE_S = 1.0
_LATE = b"iotistic-agent: not everything ended in time; what is stored is stored\n"


class Departure:
    """How this process ends.

    The first signal asks the event loop to end, and the end comes at the latest `within_s` seconds
    later, even if the loop, a thread or the disk hangs: everything that was acknowledged is in the
    store by then, and a process that is cut off is what the store is made for. A second signal
    ends it at once. `note` is called when the end begins; it may block.
    """

    def __init__(self, note: Callable[[], None], *, within_s: float = WITHIN_S) -> None:
        self._note = note
        self._within_s = within_s
        self._ask: Callable[[], Any] = lambda: None
        self._is_asked = False
        self._last: Callable[[], Any] = lambda: os._exit(0)
        self._guard = threading.Lock()
        self._has_begun = False

    @property
    def is_asked(self) -> bool:
        """A signal has come: this is the end, and no new beginning."""
        return self._is_asked

    def listen(self) -> None:
        """Hear signals from now on. Only in the main thread, once."""
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        for number in _HEARD:
            # The handler itself does nothing: the interpreter writes the number to the socket, at
            # once and whatever the main thread is stuck in.
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
        threading.Thread(target=self._hear, args=(reader,), name="signals", daemon=True).start()

    def on_signal(self, ask: Callable[[], Any]) -> None:
        """What asks the event loop to end; safe to be called from another thread."""
        with self._guard:
            self._ask = ask
            late = self._is_asked
        if late:
            ask()

    def begin(self, last: Callable[[], Any] | None = None) -> None:
        """The end begins; should it not come in `within_s` seconds, `last` is done, or an exit."""
        with self._guard:
            self._last = last if last is not None and not self._is_asked else lambda: os._exit(0)
            if self._has_begun:
                return
            self._has_begun = True
        noting = threading.Thread(target=self._note, name="note-end", daemon=True)
        noting.start()
        atexit.register(noting.join, _NOTE_S)  # an end that is quick waits for the note
        timer = threading.Timer(self._within_s, self._cut_off)
        timer.name, timer.daemon = "departure", True
        timer.start()

    def _hear(self, reader: socket.socket) -> None:
        heard = 0
        while numbers := reader.recv(16):
            heard += sum(number in _HEARD for number in numbers)
            if heard > 1:
                os._exit(_FORCED + numbers[-1])
            if heard == 1:
                with self._guard:
                    self._is_asked = True
                    ask = self._ask
                self.begin()
                with suppress(RuntimeError):  # the loop has ended by itself
                    ask()

    def _cut_off(self) -> None:
        if select.select([], [_STDERR], [], 0)[1]:  # nobody may be reading
            with suppress(OSError):
                os.write(_STDERR, _LATE)
        self._last()
