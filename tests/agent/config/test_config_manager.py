"""What the cloud says and what else is set: which counts, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.config import OutcomeKind, Reason
from tests.agent.config.builders import Device, settings

POLL = "POLL_INTERVAL_MS"
FASTER = settings(targetStatePollIntervalMs=5000)
PATH = "settings.targetStatePollIntervalMs"


@pytest.mark.parametrize(
    ("environment", "local", "shown", "came_of_it"),
    [
        pytest.param({}, {}, ("5000", "cloud"), "applied", id="over the default"),
        pytest.param({POLL: "2000"}, {}, ("5000", "cloud"), "applied", id="over the environment"),
        pytest.param(
            {}, {POLL: "3000"}, ("3000", "local"), "rejected: set-locally", id="below config set"
        ),
        pytest.param(
            {POLL: "2000", "CONFIG_PIN": POLL},
            {},
            ("2000", "pin"),
            "rejected: pinned",
            id="below a pin",
        ),
        pytest.param(
            {"CONFIG_PIN": POLL}, {}, ("60000", "pin"), "rejected: pinned", id="a pinned default"
        ),
        pytest.param(
            {}, {POLL: "05000"}, ("05000", "local"), "applied", id="the same, said by two"
        ),
    ],
)
def test_whose_value_counts(
    environment: dict[str, str],
    local: dict[str, str],
    shown: tuple[str, str],
    came_of_it: str,
) -> None:
    device = Device(environment, local=local)

    device.config.take(FASTER)

    assert device.shown(POLL) == shown
    assert device.said() == [(PATH, came_of_it)]


def test_who_sets_a_value_is_told_and_how_to_take_it_back() -> None:
    device = Device(local={POLL: "3000"}, held=FASTER)

    assert device.outcome(PATH).message == (
        "POLL_INTERVAL_MS is set on the device; iotctl config reset POLL_INTERVAL_MS takes it back"
    )


def test_a_key_that_is_gone_is_back_to_what_it_was() -> None:
    device = Device({POLL: "2000"}, held={**FASTER, "logging": {"level": "debug"}})

    device.config.take({"logging": {"level": "debug"}})
    assert device.shown(POLL) == ("2000", "environment")
    assert device.shown("LOG_LEVEL") == ("debug", "cloud")

    device.config.take({})
    assert device.shown("LOG_LEVEL") == ("info", "default")
    assert device.said() == []
    assert device.judgement.applied == {}


def test_what_was_stored_counts_from_the_start_before_anybody_was_asked() -> None:
    device = Device(held=FASTER)

    assert device.settings.value(POLL) == 5000
    assert device.changes == 0


def test_a_local_value_that_is_taken_back_gives_way_to_the_cloud() -> None:
    device = Device(local={POLL: "3000"}, held=FASTER)

    device.settings.change(POLL, None)

    assert device.shown(POLL) == ("5000", "cloud")
    assert device.said() == [(PATH, "applied")]


def test_others_are_told_only_when_another_value_is_in_force() -> None:
    device = Device({"CONFIG_PIN": "LOG_LEVEL"})

    device.config.take(FASTER)
    device.config.take(dict(FASTER))
    device.config.take({**FASTER, "odd": 1})
    device.config.take({**FASTER, "logging": {"level": "debug"}})

    assert device.changes == 1


def test_what_counts_from_the_next_start_says_so_until_then() -> None:
    device = Device({"DEVICE_NAME": "gate"})
    device.config.take(settings(DEVICE_NAME="door"))

    outcome = device.outcome("settings.DEVICE_NAME")
    assert outcome.kind is OutcomeKind.NEEDS_RESTART
    assert "iotctl restart" in (outcome.message or "")
    assert device.judgement.applied == {}

    restarted = Device({"DEVICE_NAME": "gate"}, held=settings(DEVICE_NAME="door"))
    assert restarted.said() == [("settings.DEVICE_NAME", "applied")]
    assert restarted.shown("DEVICE_NAME") == ("door", "cloud")


def test_a_value_that_comes_back_before_the_restart_needs_none() -> None:
    device = Device(held=settings(DEVICE_NAME="door"))
    device.config.take(settings(DEVICE_NAME="gate"))
    device.config.take(settings(DEVICE_NAME="door"))

    assert device.said() == [("settings.DEVICE_NAME", "applied")]


def test_what_is_told_as_applied_is_the_part_of_the_config_that_is_in_force() -> None:
    device = Device({"CONFIG_PIN": POLL})
    device.config.take(
        {
            "settings": {
                "targetStatePollIntervalMs": 5000,
                "metricsIntervalMs": 6000,
                "scheduledRestart": {"enabled": True, "intervalDays": 7},
                "orchestrator": "docker",
            },
            "logging": {"level": "loud"},
            "features": {"enableDeviceJobs": False, "enableShadow": True},
            "sensors": [{"name": "boiler"}],
            "odd": 1,
        }
    )

    assert device.judgement.applied == {
        "settings": {
            "metricsIntervalMs": 6000,
            "scheduledRestart": {"enabled": True, "intervalDays": 7},
            "orchestrator": "docker",
        },
        "features": {"enableDeviceJobs": False},
    }
    assert [(o.path, o.kind) for o in device.judgement.troubles] == [
        ("features.enableShadow", OutcomeKind.UNSUPPORTED),
        ("logging.level", OutcomeKind.REJECTED),
        ("odd", OutcomeKind.UNKNOWN),
        ("sensors", OutcomeKind.UNSUPPORTED),
        (PATH, OutcomeKind.REJECTED),
    ]


def test_what_is_not_in_force_is_logged_once_with_its_reason() -> None:
    device = Device(held=settings(metricsIntervalMs="soon"))
    device.config.take(settings(metricsIntervalMs="soon"))

    warnings = [r for r in device.book.records() if r["level"] == "warn"]
    assert [r["context"]["path"] for r in warnings] == ["settings.metricsIntervalMs"]
    assert "a whole number" in warnings[0]["context"]["reason"]


def test_a_flag_that_becomes_a_number_is_not_taken_for_the_same() -> None:
    device = Device(held={"features": {"enableDeviceJobs": False}})

    device.config.take({"features": {"enableDeviceJobs": 0}})

    assert device.said() == [("features.enableDeviceJobs", "rejected: invalid-field")]


def test_a_secret_that_the_cloud_sends_is_shown_nowhere() -> None:
    device = Device(held=settings(PROVISIONING_API_KEY="hush-hush-hush"))

    assert device.outcome("settings.PROVISIONING_API_KEY").reason is Reason.LOCAL_ONLY
    assert device.shown("PROVISIONING_API_KEY") == (None, "default")
    assert "hush" not in str((device.judgement, device.book.records()))


SECTION = st.fixed_dictionaries(
    {},
    optional={
        "targetStatePollIntervalMs": st.sampled_from([5000, 6000, 1, "?"]),
        "POLL_INTERVAL_MS": st.sampled_from(["7000", "?"]),
        "DEVICE_NAME": st.sampled_from(["gate", "door", ""]),
        "POLICY_ALLOW": st.just("bind-mounts"),
    },
)


@given(st.lists(SECTION, min_size=1), st.sampled_from([{}, {POLL: "3000"}]))
def test_only_the_last_config_counts(history: list[dict[str, Any]], local: dict[str, str]) -> None:
    device = Device(local=local)
    for section in history:
        device.config.take({"settings": section})
    fresh = Device(local=local)
    fresh.config.take({"settings": history[-1]})

    assert device.settings.rows() == fresh.settings.rows()
    assert device.judgement == fresh.judgement
    assert device.shown("POLICY_ALLOW") == ("", "default")


def test_what_a_config_says_of_logs_is_put_in_force_by_its_own_names() -> None:
    device = Device()
    device.config.take(
        {
            "logging": {
                "level": "warn",
                "enableRemoteLogging": False,
                "enableFilePersistence": True,
                "enableCompression": False,
                "logMaxAge": 7_200_000,
                "maxLogFileSize": 100_000,
            },
            "features": {"enableLogs": True},
        }
    )

    assert [(o.path, str(o.reason)) for o in device.judgement.troubles] == [
        ("features.enableLogs", "given-twice")
    ]
    value = device.settings.value
    assert (value("ENABLE_CLOUD_LOGGING"), value("LOG_COMPRESSION")) == (False, False)
    assert (value("LOG_FILE_PERSISTANCE"), value("LOG_MAX_AGE")) == (True, 7_200_000)
    assert (value("MAX_LOG_FILE_SIZE"), value("LOG_LEVEL")) == (100_000, "warn")
