"""Long work that only answers a question, in a thread that the agent's end does not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Await `work`, done in a thread of its own.

    Unlike with `asyncio.to_thread` the program ends while it still goes on, so it must neither
    hold nor change anything. Cancelled, it goes on, and what it finds is dropped.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(set_it: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if answer.done() else set_it())

    def run() -> None:
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            failure = error
            tell(lambda: answer.set_exception(failure))
        else:
            tell(lambda: answer.set_result(found))

    threading.Thread(target=run, name="question", daemon=True).start()
    return await answer
