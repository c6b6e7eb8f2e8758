"""Listings are read even where they are odd."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.engines.docker.listing import (
    read_containers,
    read_images,
    read_images_in_use,
    read_networks,
    read_volumes,
)
from iotistic.model.errors import EngineUnavailable
from iotistic.model.observation import Network, Volume
from iotistic.model.words import ContainerState

param = pytest.param

LABELS = {
    "iotistic.device": "u",
    "iotistic.app-id": "1001",
    "iotistic.service-id": "1",
    "iotistic.service-name": "web",
    "iotistic.config-hash": "1:abc",
    "iotistic.spec-fields": "{}",
}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "Id": "c1",
        "Names": ["/shop_web_1-u"],
        "Image": "web:1",
        "ImageID": "sha256:1",
        "Created": 1_700_000_000,
        "State": "running",
        "Status": "Up 2 minutes",
        "Labels": LABELS,
        "Ports": [],
        "NetworkSettings": {"Networks": {"1_default-u": {"NetworkID": "n"}}},
        "SomethingNew": {"in": ["a", "newer", "engine"]},
    } | changes


def networks(listing: bytes) -> tuple[Network, ...]:
    return read_networks(listing, "u")[0]


def volumes(listing: bytes) -> tuple[Volume, ...]:
    return read_volumes(listing, "u")[0]


def content(*entries: Any) -> bytes:
    return json.dumps(entries).encode()


def test_all_that_we_know_a_container_by_is_read() -> None:
    (seen,) = read_containers(content(entry()))

    assert (seen.id, seen.name, seen.app_id) == ("c1", "shop_web_1-u", 1001)
    assert (seen.service_id, seen.service_name) == ("1", "web")
    assert (seen.image, seen.image_id) == ("web:1", "sha256:1")
    assert (seen.spec_hash, seen.spec_fields) == ("1:abc", "{}")
    assert seen.networks == ("1_default-u",)
    assert seen.created_s == 1_700_000_000


@pytest.mark.parametrize(
    ("state", "status", "exit_code", "health"),
    [
        param("created", "Created", None, None),
        param("running", "Up 2 minutes", None, None),
        param("running", "Up 2 minutes (healthy)", None, "healthy"),
        param("running", "Up 2 minutes (unhealthy)", None, "unhealthy"),
        param("running", "Up 1 second (health: starting)", None, "starting"),
        param("paused", "Up 2 minutes (Paused)", None, None),
        param("restarting", "Restarting (3) 5 seconds ago", 3, None),
        param("exited", "Exited (137) 2 hours ago", 137, None),
        param("exited", "Exited (-1) 2 hours ago", -1, None),
        param("removing", "Removal In Progress", None, None),
        param("dead", "Dead", None, None),
    ],
)
def test_states_and_what_their_text_says(
    state: str, status: str, exit_code: int | None, health: str | None
) -> None:
    (seen,) = read_containers(content(entry(State=state, Status=status)))

    assert seen.state is ContainerState(state)
    assert (seen.exit_code, seen.health) == (exit_code, health)


@pytest.mark.parametrize(
    "odd",
    [
        param({"State": "dreaming"}, id="a state of tomorrow"),
        param({"Labels": LABELS | {"iotistic.app-id": "s3cret"}}, id="an app id that is none"),
        *(
            param({"Labels": LABELS | {"iotistic.app-id": text}}, id=f"an app id like {text!r}")
            for text in ("0", "-5", " 1", "1_0", "\u0661", "1\n", "9007199254740992", "9" * 5000)
        ),
        param({"Labels": {"iotistic.device": "u"}}, id="no service"),
        param({"Labels": None}, id="labels that are none"),
        param({"Names": "web"}, id="names that are none"),
        param({"Id": 7}, id="an id that is none"),
    ],
)
def test_an_odd_entry_costs_only_itself(
    odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        seen = read_containers(content(entry(), entry(**odd), entry(Id="c2")))

    assert [container.id for container in seen] == ["c1", "c2"]
    assert [record.message for record in caplog.records] == ["entry skipped"]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("created", [1e308, 10**30, -1, -1e308])
def test_a_time_that_is_none_is_no_time(created: float) -> None:
    assert [seen.created_s for seen in read_containers(content(entry(Created=created)))] == [0.0]


def test_an_entry_that_is_no_object_costs_only_itself() -> None:
    assert [seen.id for seen in read_containers(content(None, [], "x", entry()))] == ["c1"]


@pytest.mark.parametrize("broken", [b"", b"{}", b"[{", b"<html>", b'"x"', b"\xff"])
def test_what_is_no_listing_is_no_answer(broken: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        read_containers(broken)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_worse_than_no_answer(garbage: bytes) -> None:
    for read in (read_containers, read_images, networks, volumes):
        try:
            seen: tuple[object, ...] = read(garbage)
        except EngineUnavailable:
            seen = ()
        assert seen == ()  # for no short garbage is a whole entry


def test_nothing_is_an_empty_listing() -> None:
    assert read_containers(b"[]") == ()
    assert read_containers(b"null") == ()
    assert volumes(b'{"Volumes": null}') == ()
    assert volumes(b"{}") == ()


def test_images_are_named_in_canonical_form() -> None:
    digest = f"sha256:{'a' * 64}"
    tagged = {
        "Id": "sha256:1",
        "RepoTags": ["web:1", "r.test:5000/x:2"],
        "RepoDigests": [f"web@{digest}"],
        "Size": 7,
    }
    dangling = {"Id": "sha256:2", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}
    bare = {"Id": "sha256:3", "RepoTags": None}

    first, *others = read_images(content(tagged, dangling, bare))

    assert first.references == (
        "docker.io/library/web:1",
        "r.test:5000/x:2",
        f"docker.io/library/web@{digest}",
    )
    assert first.size_bytes == 7
    assert [(image.id, image.references) for image in others] == [
        ("sha256:2", ()),
        ("sha256:3", ()),
    ]


def test_networks_and_volumes_are_read_by_their_labels() -> None:
    labels = {
        "iotistic.device": "u",
        "iotistic.app-id": "1001",
        "iotistic.name": "data",
        "iotistic.config-hash": "1:ff",
    }
    found = {"Id": "n", "Name": "1001_data-u", "Labels": labels}

    foreign = {"Id": "x", "Name": "y", "Labels": None}
    others = {"Id": "z", "Name": "z", "Labels": labels | {"iotistic.device": "v"}}

    (network,), other_networks = read_networks(content(found, foreign, others), "u")
    (volume,), other_volumes = read_volumes(
        json.dumps({"Volumes": [found, foreign, others], "Warnings": None}).encode(), "u"
    )

    assert (network.id, network.name, network.app_id, network.short_name) == (
        "n",
        "1001_data-u",
        1001,
        "data",
    )
    assert (volume.name, volume.app_id, volume.short_name) == ("1001_data-u", 1001, "data")
    assert (network.spec_hash, volume.spec_hash) == ("1:ff", "1:ff")
    assert other_networks == other_volumes == {"y", "z"}


def test_the_images_of_all_containers_are_in_use_also_of_others() -> None:
    listing = content(entry(), {"ImageID": "sha256:2", "Labels": None}, {"ImageID": 7})

    assert read_images_in_use(listing) == {"sha256:1", "sha256:2"}


@pytest.mark.parametrize(
    ("status", "at_least_s"),
    [
        param("Up Less than a second", 0),
        param("Up 1 second", 1),
        param("Up 3 seconds (health: starting)", 3),
        param("Up 59 seconds (Paused)", 59),
        param("Up About a minute", 60),
        param("Up 5 minutes", 300),
        param("Up About an hour (healthy)", 3600),
        param("Up 2 hours", 5400),
        param("Up 3 days", 3 * 86400 - 1800),
        param("Up 2 weeks", 14 * 86400 - 1800),
        param("Up 4 months", 120 * 86400 - 1800),
        param("Up 2 years", 730 * 86400 - 1800),
        param("Up", 0),
        param("Up an elephant", 0),
        param("Exited (0) 5 minutes ago", 0),
        param("", 0),
    ],
)
def test_how_long_it_has_been_up_is_read_as_the_least_it_can_mean(
    status: str, at_least_s: float
) -> None:
    (seen,) = read_containers(content(entry(Status=status)))

    assert seen.up_s == at_least_s


def test_the_network_mode_is_read_where_there_is_one() -> None:
    (shared, silent) = read_containers(
        content(entry(HostConfig={"NetworkMode": "container:c9"}), entry(HostConfig=None))
    )

    assert (shared.network_mode, silent.network_mode) == ("container:c9", "")
