"""Random services: any fields together that an engine of our oldest version takes together."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from iotistic.model.secret import Secret
from iotistic.model.service import (
    Healthcheck,
    Mount,
    NetworkAttachment,
    PortBinding,
    RestartName,
    RestartPolicy,
    ServiceSpec,
    Tmpfs,
    Ulimit,
)
from tests.engines.field_cases import CASES, MEBI, spec_of

# Text as people write it, and as they do not: nothing an engine's JSON could stumble over.
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=10)
_PORTS = st.integers(1, 65535)
_ALONE = {
    # Cases of these are for themselves: what they need of others stands in them, or is random here.
    "image",
    "command",
    "entrypoint",
    "environment",
    "labels",
    "healthcheck",
    "restart",
    "networks",
    "network_mode",
    "ports",
    "volumes",
    "tmpfs",
    "ulimits",
    "mem_limit",
    "memswap_limit",
    "mem_reservation",
    "nano_cpus",
    "cpu_quota",
    "cpu_period",
    "hostname",
    "mac_address",
    "uts",
    "pid",
}


def _pairs(names: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(names, values, max_size=4).map(lambda d: tuple(sorted(d.items())))


def _sorted(values: st.SearchStrategy[Any], key: Any, size_max: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=size_max, unique_by=key).map(lambda v: tuple(sorted(v)))


def _in_order(port: PortBinding) -> tuple[int, str, str, int]:
    return port.container, port.protocol, port.host_ip, port.host or 0


_RANDOM: dict[str, st.SearchStrategy[Any]] = {
    "command": st.lists(_TEXTS, min_size=1, max_size=4).map(tuple),
    "entrypoint": st.lists(_TEXTS.filter(bool), min_size=1, max_size=2).map(tuple),
    "environment": st.dictionaries(_WORDS, _TEXTS.map(Secret), max_size=4).map(
        lambda d: tuple(sorted(d.items(), key=lambda pair: pair[0]))
    ),
    "labels": _pairs(_WORDS, _TEXTS),
    "healthcheck": st.builds(
        Healthcheck,
        test=st.one_of(
            st.none(), st.lists(_TEXTS, min_size=1, max_size=3).map(lambda w: ("CMD", *w))
        ),
        interval_ms=st.none() | st.integers(1, 10**7),
        timeout_ms=st.none() | st.integers(1, 10**7),
        start_period_ms=st.none() | st.integers(1, 10**7),
        retries=st.none() | st.integers(1, 100),
    ).filter(lambda check: check != Healthcheck()),
    "restart": st.builds(
        RestartPolicy,
        name=st.sampled_from([RestartName.NO, RestartName.ALWAYS, RestartName.UNLESS_STOPPED]),
    )
    | st.builds(
        RestartPolicy, name=st.just(RestartName.ON_FAILURE), retries_max=st.integers(0, 100)
    ),
    "networks": _sorted(
        st.builds(
            NetworkAttachment,
            name=st.sampled_from(["back", "front"]),
            aliases=_sorted(_WORDS, str),
            priority=st.integers(0, 9),
        ),
        lambda attachment: attachment.name,
    ),
    "ports": st.lists(
        st.builds(
            PortBinding,
            container=_PORTS,
            protocol=st.sampled_from(["tcp", "udp"]),
            host_ip=st.sampled_from(["", "127.0.0.1"]),
            host=st.none() | _PORTS,
        ),
        max_size=3,
        unique=True,
    ).map(lambda ports: tuple(sorted(ports, key=_in_order))),
    "volumes": _sorted(
        st.builds(
            Mount,
            target=_WORDS.map(lambda word: f"/mnt/{word}"),
            source=st.sampled_from(["data", "more"]),
            read_only=st.booleans(),
            no_copy=st.booleans(),
        ),
        lambda mount: mount.target,
    ),
    "tmpfs": _sorted(
        st.builds(
            Tmpfs,
            target=_WORDS.map(lambda word: f"/memory/{word}"),
            options=st.sampled_from(["", "size=65536", "mode=1777,size=65536"]),
        ),
        lambda tmpfs: tmpfs.target,
    ),
    "ulimits": _sorted(
        st.builds(
            lambda name, soft, more: Ulimit(name=name, soft=soft, hard=soft + more),
            st.sampled_from(["core", "nofile", "nproc"]),
            st.integers(0, 1000),
            st.integers(0, 1000),
        ),
        lambda limit: limit.name,
    ),
    "mem_limit": st.integers(6 * MEBI, 2**34),
    "nano_cpus": st.integers(10_000_000, 10**9),
    "hostname": _WORDS.map(lambda word: f"h{word}".rstrip("-_").replace("_", "-")),
}
"""Fields whose values are random; the rest takes those of the cases."""
_FIXED = [case for case in CASES if not (case.refused or case.feature or set(case.spec) & _ALONE)]


@st.composite
def specs(draw: st.DrawFn) -> ServiceSpec:
    """A service."""
    values: dict[str, Any] = {}
    for case in draw(st.lists(st.sampled_from(_FIXED), max_size=8)):
        values |= case.spec
    for name in draw(st.sets(st.sampled_from(sorted(_RANDOM)))):
        values[name] = draw(_RANDOM[name])
    if not values.get("networks") and draw(st.booleans()):
        values["network_mode"] = "none"
        values.pop("networks", None)
    return spec_of(values)
