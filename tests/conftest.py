"""Fixtures that every room may use. Keep it small: what one room needs belongs to that room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, Phase, settings

from scripts.support import images
from scripts.support.engine_http import EngineHttp
from scripts.support.private_docker import NoPrivateDocker, PrivateDocker, private_docker

# A machine that does something else meanwhile makes no test fail: pytest has its own limit.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Whether a mutant is seen must not be luck, and what it breaks need not be made small.
settings.register_profile(
    "mutation",
    settings.get_profile("patient"),
    derandomize=True,
    database=None,
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
)
# Whether a change lands must not be luck either: there, the same examples each time.
settings.register_profile(
    "steady", settings.get_profile("patient"), derandomize=True, database=None, print_blob=True
)
settings.load_profile("steady" if os.environ.get("CI") == "true" else "patient")

DEFAULT_ENGINE = "unix:///var/run/docker.sock"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """Fail a test in which our code blocks the event loop: sleeps, reads a file, asks SQLite…

    Only calls made by our own modules count; those of the tests themselves may block.
    """
    with blockbuster_ctx(scanned_modules=["iotistic"]):
        yield


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a Docker Engine with our test images, for DOCKER_HOST.

    IOTISTIC_TEST_DOCKER_HOST names it; else the machine's own is used, if it answers; else one is
    started for this run. Where none can be had the test is skipped, or fails where services are a
    must. Tests remove what they make, and touch nothing else.
    """
    named = os.environ.get("IOTISTIC_TEST_DOCKER_HOST")
    usual = named or os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE
    there = bool(named) or EngineHttp(usual, timeout_s=5.0).answers()
    with ExitStack() as stack:
        try:
            host = usual if there else stack.enter_context(private_docker()).host
            images.load(host)
        except (NoPrivateDocker, images.BusyboxMissing) as error:
            _not_to_be_had(f"no Docker Engine: {error}")
        else:
            yield host


@pytest.fixture
def own_docker() -> Iterator[PrivateDocker]:
    """A Docker Engine that is this test's alone, with our test images: it may be stopped."""
    with ExitStack() as stack:
        try:
            docker = stack.enter_context(private_docker())
            images.load(docker.host)
        except (NoPrivateDocker, images.BusyboxMissing) as error:
            _not_to_be_had(f"no Docker Engine: {error}")
        else:
            yield docker


def _not_to_be_had(why: str) -> None:
    if os.environ.get("CI") == "true" or os.environ.get("IOTISTIC_REQUIRE_SERVICES") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
