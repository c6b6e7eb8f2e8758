"""What the engine's sentences mean. They are quoted from Docker 20.10 and from registries."""

from __future__ import annotations

import pytest

from iotistic.engines.docker.errors import (
    EngineAnswer,
    general,
    layers_missing,
    object_error,
    pull_error,
    taken_port,
)
from iotistic.model.errors import Conflict, EngineFailed, EngineUnavailable, NotFound, Refused

param = pytest.param

DENIED = (
    "pull access denied for x/y, repository does not exist or may require 'docker login': "
    "denied: requested access to the resource is denied"
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        param("manifest unknown", "image-not-found"),
        param("manifest for x/y:2 not found: manifest unknown: OCI index", "image-not-found"),
        param("unknown blob", "image-not-found"),
        param(DENIED, "registry-denied"),
        param('Head "https://r.test/v2/x/manifests/1": unauthorized: no', "registry-denied"),
        param('Get "https://r.test/v2/": no basic auth credentials', "registry-denied"),
        param("toomanyrequests: You have reached your pull rate limit.", "rate-limited"),
        param("received unexpected HTTP status: 429 Too Many Requests", "rate-limited"),
        param('Get "https://r.test/v2/": dial tcp: i/o timeout', "registry-unavailable"),
        param("received unexpected HTTP status: 503 Service Un", "registry-unavailable"),
        param("write /var/lib/docker/tmp/x: no space left on device", "disk-full"),
        param("open /var/lib/docker/tmp/x: permission denied", "registry-unavailable"),
        param("lookup r.test: no such host", "registry-unavailable"),
    ],
)
def test_why_a_pull_failed(text: str, code: str) -> None:
    error = pull_error(text, "x/y:2")

    assert error.code == code
    terminal = code in ("image-not-found", "registry-denied")
    assert isinstance(error, Refused if terminal else EngineUnavailable)
    assert "x/y:2" in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        param("toomanyrequests: retry-after: 7s, allowed: 100/hour", 7.0),
        param("toomanyrequests: retry-after: 1.5m, allowed", 90.0),
        param("toomanyrequests: retry-after: 500ms", 0.5),
        param("toomanyrequests: Retry-After: 30", 30.0),
        param("toomanyrequests: retry-after: 99999h", 86400.0),
        param("toomanyrequests: retry-after: 1.2.3s", None),
        param("toomanyrequests: later", None),
    ],
)
def test_when_a_registry_wants_us_back(text: str, seconds: float | None) -> None:
    error = pull_error(text, "x")

    assert isinstance(error, EngineUnavailable)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        param(
            "x (1f): Bind for 127.0.0.2:8080 failed: port is already allocated", ("127.0.0.2", 8080)
        ),
        param("x: Bind for :::80 failed: port is already allocated", ("::", 80)),
        param(
            "Error starting userland proxy: listen tcp4 127.0.0.1:39182: bind: address already "
            "in use",
            ("127.0.0.1", 39182),
        ),
        param("port is already allocated", ("", 0)),
        param("exec: no such file or directory", None),
    ],
)
def test_which_port_is_taken(text: str, expected: tuple[str, int] | None) -> None:
    assert taken_port(EngineAnswer(500, text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Pool overlaps with other one on this address space",
        "could not find an available, non-overlapping IPv4 address pool among the defaults",
    ],
)
def test_networks_that_find_no_addresses(text: str) -> None:
    error = object_error(EngineAnswer(403, text), "create network x")

    assert error.code == "network-pool-overlap"
    assert error.remedy


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (403, Conflict), (404, NotFound), (409, Conflict), (500, EngineFailed)],
)
def test_what_is_left_is_judged_by_its_status(status: int, kind: type[Exception]) -> None:
    assert type(general(EngineAnswer(status, "x"), "do")) is kind


def test_a_sentence_is_one_line_of_bounded_length() -> None:
    error = general(EngineAnswer(500, "a\n b\t" + "x" * 10_000), "do")

    assert str(error).startswith("do: a b x")
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, 'plugin "nope" not found'),
        (404, 'create x: error looking up volume plugin nope: plugin "nope" not found'),
        (500, "operation not supported"),
        (500, "Invalid subnet bogus : invalid CIDR address: bogus"),
        (500, "failed to parse com.docker.network.bridge.enable_icc value: maybe"),
        (500, 'This node is not a swarm manager. Use "docker swarm init"'),
    ],
)
def test_networks_and_volumes_that_can_never_be_made(status: int, text: str) -> None:
    error = object_error(EngineAnswer(status, text), "create network x")

    assert type(error) is Refused
    assert error.remedy


_OVERLAY = "/var/lib/docker/overlay2/51a6"
_NO_FILE = "no such file or directory"


@pytest.mark.parametrize(
    ("text", "is_missing"),
    [
        ("layer does not exist", True),
        (f"error creating overlay mount to {_OVERLAY}/merged: {_NO_FILE}", True),
        (f"open {_OVERLAY}/committed: {_NO_FILE}", True),
        ("failed to create snapshot: snapshot sha256:44f0 does not exist: not found", True),
        (f'OCI runtime create failed: exec: "x": stat {_OVERLAY}/merged/x: {_NO_FILE}', False),
        (f"error while creating mount source path '/x': {_NO_FILE}", False),
        (f"error creating overlay mount to {_OVERLAY}/merged: invalid argument", False),
    ],
)
def test_layers_that_are_gone_are_told_from_files_that_were_never_there(
    text: str, is_missing: bool
) -> None:
    found = layers_missing(EngineAnswer(500, text), "start x")
    assert (found is not None) is is_missing
    assert found is None or found.code == "layers-missing"
