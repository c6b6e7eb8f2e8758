"""A running cloud for each test, copied from one that was made once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cloud.running import (
    ManualClock,
    Running,
    copy_template,
    make_template,
    running_cloud,
)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with users and an RSA pair, which take a while to make."""
    path = tmp_path_factory.mktemp("cloud") / "template.sqlite"
    asyncio.run(make_template(path))
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    return copy_template(template, tmp_path / "cloud.sqlite")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def cloud(database: Path, clock: ManualClock) -> AsyncIterator[Running]:
    async with running_cloud(database, clock=clock) as running:
        yield running


@pytest.fixture
async def second(cloud: Running, database: Path, clock: ManualClock) -> AsyncIterator[Running]:
    """Another process on the same database, as far as the code can tell."""
    async with running_cloud(database, clock=clock) as running:
        yield running
