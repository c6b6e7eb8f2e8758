from __future__ import annotations

import os
from pathlib import Path

import pytest

from iotistic.agent.telemetry import HostFacts, MetricsSource, read_host_facts
from iotistic.agent.telemetry.source import PROCESSES_MAX, default_interface


async def test_the_figures_of_this_host_are_plausible(tmp_path: Path) -> None:
    metrics = await MetricsSource(tmp_path).read()

    assert 0 <= metrics.cpu_percent <= 100
    assert metrics.cpu_cores == os.cpu_count()
    assert 0 < metrics.memory_used_mib < metrics.memory_total_mib
    assert 0 < metrics.memory_percent < 100
    assert metrics.storage_used_mib is not None
    assert metrics.storage_total_mib is not None
    assert 0 <= metrics.storage_used_mib <= metrics.storage_total_mib
    assert metrics.uptime_s > 0


async def test_where_the_data_is_not_there_yet_storage_is_unknown(tmp_path: Path) -> None:
    metrics = await MetricsSource(tmp_path / "not" / "here").read()

    assert metrics.storage_total_mib is None
    assert metrics.storage_percent is None


async def test_the_busiest_processes_come_first_and_we_are_among_all(tmp_path: Path) -> None:
    source = MetricsSource(tmp_path)
    await source.read_details()

    details = await source.read_details()

    shares = [process.cpu_percent for process in details.processes]
    assert shares == sorted(shares, reverse=True)
    assert 0 < len(shares) <= PROCESSES_MAX
    assert all(0 <= share <= 100 for share in shares)
    assert "lo" not in {interface.name for interface in details.interfaces}


ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param(ROUTES, "eth0", id="the lowest metric wins"),
        pytest.param(ROUTES.splitlines()[0], None, id="no route at all"),
        pytest.param("", None, id="the table cannot be read"),
        pytest.param("x\nnonsense 00000000", None, id="nonsense"),
    ],
)
def test_the_default_interface(routes: str, expected: str | None) -> None:
    assert default_interface(routes) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12"),
        ("PRETTY_NAME='Alpine Linux v3.20'", "Alpine Linux v3.20"),
        ("PRETTY_NAME=\nID=x", os.uname().sysname),
        ("\x00\xff", os.uname().sysname),
    ],
)
def test_the_name_of_the_system(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(text)

    facts = read_host_facts(tmp_path)

    assert isinstance(facts, HostFacts)
    assert facts.os_version.startswith(expected)
    assert facts.architecture == os.uname().machine
