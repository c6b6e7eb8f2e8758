"""The engine's words for what a container uses."""

from __future__ import annotations

import msgspec
import pytest

from iotistic.engines.docker.stats import parse_stats
from iotistic.engines.protocol import ContainerStats
from iotistic.model.errors import EngineUnavailable

AT = "2026-11-24T19:10:28.250775188Z"


def answer(**fields: object) -> bytes:
    return msgspec.json.encode({"read": AT, **fields})


def test_with_the_second_version_of_control_groups() -> None:
    found = parse_stats(
        answer(
            cpu_stats={"cpu_usage": {"total_usage": 5_000}, "online_cpus": 2},
            memory_stats={"usage": 900, "limit": 4_000, "stats": {"inactive_file": 300}},
            networks={
                "eth0": {"rx_bytes": 10, "tx_bytes": 1},
                "eth1": {"rx_bytes": 20, "tx_bytes": 2},
            },
            blkio_stats={
                "io_service_bytes_recursive": [
                    {"major": 8, "minor": 0, "op": "read", "value": 7},
                    {"major": 8, "minor": 0, "op": "write", "value": 8},
                ]
            },
            pids_stats={"current": 3, "limit": 100},
        )
    )

    assert found == ContainerStats(
        cpu_ns=5_000,
        memory_bytes=600,
        memory_limit_bytes=4_000,
        rx_bytes=30,
        tx_bytes=3,
        read_bytes=7,
        written_bytes=8,
        pids=3,
    )


def test_with_the_first_version_cache_and_words_are_other_ones() -> None:
    found = parse_stats(
        answer(
            memory_stats={
                "usage": 900,
                "limit": 2**63 - 4096,
                "stats": {"inactive_file": 1, "total_inactive_file": 400},
            },
            blkio_stats={"io_service_bytes_recursive": [{"op": "Read", "value": 7}]},
        )
    )

    assert found is not None
    assert (found.memory_bytes, found.memory_limit_bytes, found.read_bytes) == (500, None, 7)


def test_what_the_engine_leaves_out_is_not_known() -> None:
    # as with the host's network, and an engine without rights to the block devices' figures
    found = parse_stats(answer(blkio_stats={"io_service_bytes_recursive": None}))

    assert found == ContainerStats()


@pytest.mark.parametrize("content", [b"", b"[]", b"not json", b'{"pids_stats": 3}'])
def test_what_is_no_answer_is_an_engine_that_is_not_well(content: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        parse_stats(content)
