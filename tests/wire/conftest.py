from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from scripts.support.programs import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The real cloud as a process, an operator logged in."""
    with Cloud(tmp_path_factory.mktemp("cloud")).serving() as found:
        yield found


@pytest.fixture
def key(cloud: Cloud) -> str:
    """A provisioning key for one device."""
    return cloud.new_key(maxDevices=1)


@pytest.fixture
def device_uuid() -> str:
    return str(uuid.uuid4())
