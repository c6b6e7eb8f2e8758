from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.api.builders import Box, Served, device, serving


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    async with device(folder) as found:
        yield found


@pytest.fixture
async def api(box: Box) -> AsyncIterator[Served]:
    async with serving(box) as found:
        yield found
