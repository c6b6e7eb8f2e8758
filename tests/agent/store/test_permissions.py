"""A state folder that is not the agent's own."""

from __future__ import annotations

import asyncio
import os
import warnings
from pathlib import Path

import pytest

from iotistic.agent.store.errors import DatabaseUnusable
from tests.agent.store.builders import database_in, opened


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("name", ["", "device.sqlite", "identity.json", "database.key"])
def test_what_belongs_to_somebody_else_is_a_clear_refusal(tmp_path: Path, name: str) -> None:
    """A copied state folder whose owner was not copied, a service that changed its user."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    asyncio.run(_open_once(tmp_path))
    folder = database_in(tmp_path).parent
    nobody = 65534
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, nobody)
    foreign = folder / name
    os.chown(foreign, 0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the child only opens the store, and ends
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(nobody)
            os.setuid(nobody)
            asyncio.run(_open_once(tmp_path))
        except DatabaseUnusable as error:
            code = 0 if "belong" in str(error) and str(folder) in str(error) else 3
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def _open_once(folder: Path) -> None:
    async with opened(folder):
        pass
