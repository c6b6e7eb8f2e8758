"""Metric points as curves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.records.sending import DEVICE, record, send
from tests.cloud.running import START_MS, ManualClock, Running


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


async def points(cloud: Running, key: str, *found: tuple[int, dict[str, Any]]) -> None:
    await send(
        cloud,
        key,
        *(
            record(seq, of="metric", data=data) | {"at": START_MS + at_s * 1000}
            for seq, (at_s, data) in enumerate(found, 1)
        ),
    )


async def curves(cloud: Running, query: str) -> dict[str, Any]:
    answer: dict[str, Any] = await cloud.ok("GET", f"{DEVICE}/metrics?{query}", who="viewer")
    return answer


async def test_each_step_has_its_mean_lowest_and_highest(cloud: Running, key: str) -> None:
    await points(cloud, key, (0, {"cpu": 1, "mem": 5}), (30, {"cpu": 4}), (70, {"cpu": 9}))

    found = await curves(cloud, f"from={START_MS}&to={START_MS + 120_000}&step=60")

    assert (found["points"], found["stepMs"], found["truncated"]) == (3, 60_000, False)
    assert found["series"]["cpu"] == [
        {"atMs": START_MS, "avg": 2.5, "min": 1, "max": 4, "count": 2},
        {"atMs": START_MS + 60_000, "avg": 9, "min": 9, "max": 9, "count": 1},
    ]
    assert [cell["avg"] for cell in found["series"]["mem"]] == [5]


async def test_figures_are_chosen_by_name_or_beginning(cloud: Running, key: str) -> None:
    await points(cloud, key, (0, {"cpu": 1, "disk.read": 2, "disk.write": 3}))
    span = f"from={START_MS}&to={START_MS + 1000}"

    assert set((await curves(cloud, f"{span}&names=cpu"))["series"]) == {"cpu"}
    assert set((await curves(cloud, f"{span}&names=disk.*,nothing"))["series"]) == {
        "disk.read",
        "disk.write",
    }
    assert len((await curves(cloud, span))["series"]) == 3


async def test_a_service_s_figures_are_told_from_the_host_s(cloud: Running, key: str) -> None:
    web = {"scope": "service", "appId": 1001, "serviceName": "web", "metrics": {"cpu": 3}}
    await points(cloud, key, (0, {"scope": "host", "metrics": {"cpu": 1}}), (0, web))
    span = f"from={START_MS}&to={START_MS + 1000}"

    assert set((await curves(cloud, span))["series"]) == {"cpu", "1001/web/cpu"}
    assert set((await curves(cloud, f"{span}&names=1001/web/*"))["series"]) == {"1001/web/cpu"}


async def test_without_a_span_it_is_the_last_hour_in_as_many_steps_as_asked(
    cloud: Running, key: str, clock: ManualClock
) -> None:
    clock.advance(s=3500)
    await points(cloud, key, (0, {"cpu": 1}), (3490, {"cpu": 2}))
    clock.advance(s=50)

    found = await curves(cloud, "limit=10")

    assert found["toMs"] - found["fromMs"] == 3_600_000
    assert found["stepMs"] == 360_000
    assert [cell["avg"] for cell in found["series"]["cpu"]] == [1, 2]


async def test_numbers_as_large_as_may_be_have_a_mean(cloud: Running, key: str) -> None:
    await points(cloud, key, (0, {"x": 1e18}), (1, {"x": -1e18}), (2, {"x": 1e18}))

    found = await curves(cloud, f"from={START_MS}&to={START_MS + 10_000}&step=10")

    assert found["series"]["x"][0]["avg"] == pytest.approx(1e18 / 3)


async def test_a_question_that_makes_no_sense_is_refused(cloud: Running, key: str) -> None:
    for query, path in (
        (f"from={START_MS}&to={START_MS}", "from"),
        (f"from={START_MS + 5}&to={START_MS}", "from"),
        (f"from=0&to={START_MS}&step=1", "step"),
        ("step=-1", "step"),
        ("limit=2001", "limit"),
        (f"names={','.join('x' * 60)}", "names"),
    ):
        reply = await cloud.ask("GET", f"{DEVICE}/metrics?{query}", who="viewer")

        assert (reply.status_code, reply.json()["details"]["path"]) == (400, path), query


async def test_the_step_that_is_named_as_the_remedy_does(cloud: Running, key: str) -> None:
    reply = await cloud.ask("GET", f"{DEVICE}/metrics?from=0&to=1000000&step=1", who="viewer")
    least = reply.json()["details"]["expected"].split()[2]

    assert (await curves(cloud, f"from=0&to=1000000&step={least}"))["points"] == 0
