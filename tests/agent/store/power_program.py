"""A day of a store, to be cut off. Says what it is about to do, and that it was done.

do NAME VALUE      it is about to be asked for
done NAME VALUE    the call has returned: acknowledged
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

from tests.agent.power_cuts import SAID
from tests.agent.store.builders import GOOD, LOCK, app, database_in, opened, provisioned, target

TURNS = 3
ROUNDS = 5


class Day:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.said = os.open(folder / SAID, flags, 0o600)

    def say(self, *words: object) -> None:
        os.write(self.said, (" ".join(map(str, words)) + "\n").encode())

    async def act(self, name: str, value: object, work: Awaitable[object]) -> None:
        self.say("do", name, value)
        await work
        self.say("done", name, value)

    async def live(self) -> None:
        number = 0
        for turn in range(TURNS):
            async with opened(self.folder) as store:
                self.say("done", "uuid", store.identity.uuid)
                if turn == 0:
                    await self.act("phase", "provisioned", store.save_identity(
                        provisioned(store.identity)
                    ))  # fmt: skip
                for _ in range(ROUNDS):
                    number += 1
                    settings = {"N": str(number), f"FILL{number}": "x" * 3000}
                    renamed = replace(store.identity, device_name=str(number))
                    good = replace(GOOD, release=str(number))
                    lock = replace(LOCK, reason=str(number))
                    wanted = target(number, f"web:{number}")
                    await self.act("setting", number, store.change_settings(settings))
                    await self.act("lock", number, store.locks.save(lock))
                    await self.act("target", number, store.save_target(wanted))
                    await self.act("good", number, store.releases.commit(good, app()))
                    await self.act("name", number, store.save_identity(renamed))
                await store._database.read(
                    lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    assert database_in(folder).parent.is_dir()
    asyncio.run(Day(folder).live())
