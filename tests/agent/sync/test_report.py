from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from iotistic.agent.config import Judgement, Outcome, OutcomeKind, Reason
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.metric_fields import metric_fields
from iotistic.agent.sync.report import STEADY_MS, build_report, steady_boot_wall_ms
from iotistic.agent.sync.steady import moved
from iotistic.model.errors import EngineUnavailable, InvalidField
from iotistic.model.words import ContainerState, Dialect, Verdict, WaitReason
from iotistic.planner.step import AppVerdict, Plan, Wait
from iotistic.planner.world import Attempt, StepKind, Subject
from tests.agent.sync.builders import (
    FACTS,
    METRICS,
    container,
    service,
    snapshot,
    target,
)

WEB = Subject(app_id=1001, kind="service", name="1")


def rows(snap: Snapshot, **facts: Any) -> list[dict[str, Any]]:
    report = build_report(snap, replace(FACTS, **facts))
    services: list[dict[str, Any]] = report["apps"]["1001"]["services"]
    return services


def test_a_device_without_a_target_still_says_what_it_is() -> None:
    assert build_report(Snapshot(), FACTS) == {
        "apps": {},
        "config": {},
        "is_online": True,
        "agent_version": "0.1.0",
        "os_version": "Debian",
        "architecture": "x86_64",
        "local_ip": "192.0.2.7",
        "clock_synced": False,
        "boot_id": "boot-1",
        "machine_hash": "m1",
        "next_report_within_ms": 300000,
        "warnings": [],
        "release": {},
        "plan": {},
    }


def test_a_service_is_told_with_its_container() -> None:
    web = service(
        service_id=1,
        environment={"MODE": "sold", "TOKEN": "hush"},
        ports=["8080:80", "127.0.0.1:9000:9000/udp"],
        volumes=["data:/data:ro"],
    )

    assert rows(snapshot(target(web), container("1"))) == [
        {
            "appId": 1001,
            "appName": "shop",
            "serviceId": 1,
            "serviceName": "web",
            "imageName": "web:1",
            "state": "running",
            "status": "running",
            "serviceStatus": "running",
            "containerId": "c1",
            "specHash": "1:abc",
            "config": {
                "image": "web:1",
                "ports": ["8080:80/tcp", "127.0.0.1:9000:9000/udp"],
                "volumes": ["data:/data:ro"],
                "networks": [],
                "restart": "unless-stopped",
                "environment": ["MODE", "TOKEN"],
            },
        }
    ]


@pytest.mark.parametrize("service_id", [7, "7", "web-a"])
def test_a_service_id_is_echoed_in_its_type(service_id: int | str) -> None:
    assert rows(snapshot(target(service(service_id=service_id))))[0]["serviceId"] == service_id


def test_no_value_of_an_environment_is_told() -> None:
    for dialect in Dialect:
        snap = snapshot(target(service(environment={"A": "hush"})), container("1"))
        assert "hush" not in json.dumps(build_report(snap, replace(FACTS, dialect=dialect)))


def test_what_sounds_secret_in_the_config_is_masked_and_nulls_are_left_out() -> None:
    applied = {
        "registries": [{"url": "r.example", "username": "u", "secret": "hush"}],
        "sensors": [{"connection": {"password": "hush", "host": "h"}}],
        "settings": {"scheduledRestart": {"enabled": False, "reason": None}},
    }
    facts = replace(FACTS, config=Judgement(applied=applied))

    config = build_report(Snapshot(), facts)["config"]

    assert config == {
        "registries": [{"url": "r.example", "username": "u", "secret": "***"}],
        "sensors": [{"connection": {"password": "***", "host": "h"}}],
        "settings": {"scheduledRestart": {"enabled": False}},
    }


def config_judgement() -> Judgement:
    """One key of each outcome."""
    return Judgement(
        applied={"logging": {"level": "debug"}},
        outcomes=(
            Outcome(path="logging.level", kind=OutcomeKind.APPLIED, setting="LOG_LEVEL"),
            Outcome(path="settings.DEVICE_NAME", kind=OutcomeKind.NEEDS_RESTART, message="…"),
            Outcome(
                path="settings.metricsIntervalMs",
                kind=OutcomeKind.REJECTED,
                reason=Reason.PINNED,
                message="METRICS_INTERVAL_MS is pinned",
            ),
            Outcome(path="sensors", kind=OutcomeKind.UNSUPPORTED, message="not supported"),
            Outcome(path="sensor", kind=OutcomeKind.UNKNOWN, message="unknown key, ignored"),
        ),
    )


def test_what_came_of_each_config_key_is_told() -> None:
    report = build_report(snapshot(target()), replace(FACTS, config=config_judgement()))

    assert report["config"] == {"logging": {"level": "debug"}}
    assert report["config_outcomes"] == {
        "logging.level": {"outcome": "applied"},
        "settings.DEVICE_NAME": {"outcome": "needs-restart"},
        "settings.metricsIntervalMs": {"outcome": "rejected", "reason": "pinned"},
        "sensors": {"outcome": "unsupported"},
        "sensor": {"outcome": "unknown"},
    }
    assert [(w["code"], w["path"], w["message"]) for w in report["warnings"]] == [
        (
            "pinned",
            "config.settings.metricsIntervalMs",
            "config.settings.metricsIntervalMs: METRICS_INTERVAL_MS is pinned",
        ),
        ("unsupported", "config.sensors", "config.sensors: not supported"),
        ("unknown-field", "config.sensor", "config.sensor: unknown key, ignored"),
    ]


def test_an_older_cloud_gets_the_config_in_force_and_no_field_that_it_never_knew() -> None:
    facts = replace(FACTS, config=config_judgement(), dialect=Dialect.O1)

    report = build_report(snapshot(target()), facts)

    assert report["config"] == {"logging": {"level": "debug"}}
    assert "config_outcomes" not in report


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        pytest.param("running", None, "pending", id="not there yet"),
        pytest.param("stopped", None, "stopped", id="not there, as wanted"),
        pytest.param("running", ContainerState.CREATED, "pending", id="created"),
        pytest.param("running", ContainerState.RUNNING, "running", id="running"),
        pytest.param("paused", ContainerState.PAUSED, "stopped", id="paused"),
        pytest.param("running", ContainerState.EXITED, "stopped", id="ended"),
        pytest.param("running", ContainerState.RESTARTING, "error", id="the engine restarts it"),
    ],
)
def test_the_status_of_a_service(wanted: str, found: ContainerState | None, expected: str) -> None:
    seen = [] if found is None else [container("1", state=found)]

    assert rows(snapshot(target(service(state=wanted)), *seen))[0]["serviceStatus"] == expected


def attempt(step: StepKind, count: int = 1, subject: Subject = WEB, at_s: float = 130) -> Attempt:
    return Attempt(
        subject=subject,
        step=step,
        count=count,
        not_before_s=at_s,
        code="engine-refused",
        message="no such thing",
    )


IMAGE = Subject(app_id=0, kind="image", name="docker.io/library/web:1")


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        pytest.param(attempt(StepKind.PULL, 1, IMAGE), "ErrImagePull", id="a pull failed"),
        pytest.param(attempt(StepKind.PULL, 2, IMAGE), "ImagePullBackOff", id="and again"),
        pytest.param(attempt(StepKind.CREATE_CONTAINER), "StartFailure", id="not created"),
        pytest.param(attempt(StepKind.START, 9), "StartFailure", id="not started"),
        pytest.param(attempt(StepKind.HEAL, 3), "CrashLoopBackOff", id="keeps ending"),
    ],
)
def test_a_service_that_could_not_be_made_is_there_with_its_error(
    failed: Attempt, kind: str
) -> None:
    row = rows(replace(snapshot(target(service())), attempts=(failed,)))[0]

    assert row["serviceStatus"] == "error"
    assert "containerId" not in row
    assert row["error"]["type"] == kind
    assert row["error"]["message"] == "no such thing"
    assert row["error"]["retryCount"] == failed.count
    assert row["error"]["nextRetry"] == "2025-10-09T08:55:30Z"
    assert row["error"]["timestamp"] < row["error"]["nextRetry"]


@pytest.mark.parametrize(
    ("failed", "error"),
    [
        pytest.param(attempt(StepKind.HEAL, 2), False, id="made again twice: an accident"),
        pytest.param(attempt(StepKind.HEAL, 3), True, id="three times: a crash loop"),
        pytest.param(attempt(StepKind.HEAL, 3, at_s=-600), False, id="long ago: over"),
        pytest.param(
            attempt(StepKind.START, subject=Subject(app_id=1, kind="service", name="1")),
            False,
            id="another app's",
        ),
    ],
)
def test_a_running_service_that_kept_ending_is_running_with_a_warning(
    failed: Attempt, error: bool
) -> None:
    snap = replace(snapshot(target(service()), container("1")), attempts=(failed,))

    row = rows(snap)[0]

    assert row["serviceStatus"] == "running"
    assert ("error" in row) is error


def test_a_container_that_the_target_no_longer_has_is_told() -> None:
    snap = snapshot(target(service()), container("1"), container("9", name="old", app_id=7))

    report = build_report(snap, FACTS)

    assert [row["serviceName"] for row in report["apps"]["7"]["services"]] == ["old"]
    assert "state" not in report["apps"]["7"]["services"][0]


def test_of_two_containers_of_a_service_the_one_that_runs_is_told() -> None:
    old = container("1", id="old", state=ContainerState.RUNNING)
    new = container("1", id="new", state=ContainerState.CREATED, created_s=9.0)

    told = [rows(snapshot(target(service()), *pair)) for pair in ((old, new), (new, old))]

    assert [row[0]["containerId"] for row in told] == ["old", "old"]


def test_verdict_and_waits_are_told_without_what_changes_all_the_time() -> None:
    wait = Wait(reason=WaitReason.IMAGE_PULLING, subject=WEB, message="62 %", service_name="web")
    verdicts = {
        1001: AppVerdict(
            verdict=Verdict.APPLYING, reason="web: 62 %", services_settled=1, services_total=2
        )
    }
    snap = replace(
        snapshot(target(service())), plan=Plan(waits=(wait,), verdicts=verdicts), rounds=12
    )

    app = build_report(snap, FACTS)["apps"]["1001"]

    assert app["verdict"] == "applying"
    assert (app["servicesSettled"], app["servicesTotal"]) == (1, 2)
    assert app["waits"] == [{"reason": "image-pulling", "service": "web"}]
    assert "62" not in json.dumps(app)


def test_a_rejected_app_says_why() -> None:
    verdicts = {1001: AppVerdict(verdict=Verdict.REJECTED, reason="bind mounts: not here")}
    snap = replace(snapshot(target(service())), plan=Plan(verdicts=verdicts))

    assert build_report(snap, FACTS)["apps"]["1001"]["reason"] == "bind mounts: not here"


def test_what_is_wrong_is_a_warning_with_the_path_and_the_remedy() -> None:
    snap = Snapshot(
        target=target(service(oddity=1), version=6),
        offered_version=7,
        refusal=InvalidField("apps.1.services", expected="a list", found=5, remedy="correct it"),
        engine_error=EngineUnavailable("the engine is away"),
    )

    report = build_report(snap, FACTS)

    assert report["version"] == 6
    assert report["received_version"] == 7
    assert report["warnings"] == [
        {
            "code": "invalid-field",
            "message": "apps.1.services: expected a list, found 5",
            "path": "apps.1.services",
            "remedy": "correct it",
            "version": 7,
        },
        {"code": "engine-unavailable", "message": "the engine is away"},
        {
            "code": "unknown-field",
            "message": "apps.1001.services[0].config.oddity: unknown field, ignored",
        },
    ]


@pytest.mark.parametrize(
    ("dialect", "expected"), [(Dialect.V2, None), (Dialect.O1, 1)], ids=["v2", "o1"]
)
def test_a_target_without_a_version(dialect: Dialect, expected: int | None) -> None:
    report = build_report(
        snapshot(target(service(), version=None)), replace(FACTS, dialect=dialect)
    )

    assert report.get("version") == expected


def test_time_passing_changes_nothing() -> None:
    snap = replace(
        snapshot(target(service()), container("1")), attempts=(attempt(StepKind.START, 2),)
    )

    first = build_report(snap, FACTS)
    later = build_report(replace(snap, changed=9, rounds=9), replace(FACTS, now_s=105.7))

    assert first == later


def test_dates_do_not_tremble_with_the_clocks() -> None:
    held = steady_boot_wall_ms(None, 5000)

    assert steady_boot_wall_ms(held, 5000 + STEADY_MS - 1) == 5000
    assert steady_boot_wall_ms(held, 5000 - STEADY_MS + 1) == 5000
    assert steady_boot_wall_ms(held, 5000 + STEADY_MS) == 5000 + STEADY_MS


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"uptime_s": 99999}, False, id="time passing"),
        pytest.param({"load_1": 9.9}, False, id="load alone"),
        pytest.param({"cpu_percent": 24.0}, False, id="cpu a little"),
        pytest.param({"cpu_percent": 25.0}, True, id="cpu by 5"),
        pytest.param({"cpu_percent": 15.0}, True, id="cpu down by 5"),
        pytest.param({"memory_used_mib": 404}, False, id="memory a little"),
        pytest.param({"memory_used_mib": 410}, True, id="memory by 1 %"),
        pytest.param({"storage_used_mib": 510}, True, id="storage by 1 %"),
        pytest.param({"temperature_c": 50.9}, False, id="temperature a little"),
        pytest.param({"temperature_c": 51.0}, True, id="temperature by 1"),
        pytest.param({"temperature_c": None}, True, id="the sensor is gone"),
    ],
)
def test_which_metrics_are_worth_a_report(change: dict[str, Any], expected: bool) -> None:
    assert moved(metric_fields(METRICS), metric_fields(replace(METRICS, **change))) is expected


def test_metrics_go_by_the_names_of_the_wire() -> None:
    assert metric_fields(METRICS) == {
        "cpu_usage": 20,
        "cpu_cores": 4,
        "load_1": 0.5,
        "memory_usage": 400,
        "memory_total": 1000,
        "memory_percent": 40.0,
        "storage_usage": 500,
        "storage_total": 1000,
        "storage_percent": 50.0,
        "temperature": 50.0,
        "cpu_temp": 50.0,
        "uptime": 3600,
    }
