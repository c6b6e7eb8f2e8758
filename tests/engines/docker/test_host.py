"""DOCKER_HOST and its companions."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.engines.docker import DockerHost, docker_host
from iotistic.model.errors import InvalidField


@pytest.mark.parametrize(
    ("value", "url"),
    [
        (None, "unix:///var/run/docker.sock"),
        ("", "unix:///var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
        ("tcp://127.0.0.1", "http://127.0.0.1:2375"),
        ("tcp://engine.test:4000", "http://engine.test:4000"),
        ("http://[::1]:4000", "http://[::1]:4000"),
        ("https://engine.test", "https://engine.test:2376"),
    ],
)
def test_addresses(value: str | None, url: str) -> None:
    environment = {} if value is None else {"DOCKER_HOST": value}

    assert docker_host(environment) == DockerHost(url=url)


@pytest.mark.parametrize(
    "value",
    ["docker.sock", "unix://", "unix://docker.sock", "ssh://me@host", "tcp://", "tcp://h:x"],
)
def test_an_address_that_cannot_be_used_is_refused_by_name(value: str) -> None:
    with pytest.raises(InvalidField, match="DOCKER_HOST"):
        docker_host({"DOCKER_HOST": value})


def test_tls_verifies_always() -> None:
    tls = docker_host({"DOCKER_HOST": "https://engine.test"}).tls

    assert tls is not None
    assert tls.check_hostname
    assert tls.verify_mode.name == "CERT_REQUIRED"


def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    environment = {
        "DOCKER_HOST": "tcp://engine.test:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }

    with pytest.raises(InvalidField, match="DOCKER_CERT_PATH"):
        docker_host(environment)
