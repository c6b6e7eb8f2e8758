"""A config document, and what each of its keys says. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.config import Outcome, OutcomeKind, Reason
from iotistic.agent.config.keys import NOT_BUILT, SETTING_KEYS, Form
from iotistic.agent.config.reading import UNKNOWN_MAX, read_config
from iotistic.agent.setting_list import BY_NAME

GOOD: dict[str, Any] = {
    "settings": {"metricsIntervalMs": 5000, "scheduledRestart": {"enabled": False}},
    "logging": {"level": "debug"},
}
GOOD_VALUES = {
    "METRICS_INTERVAL_MS": "5000", "SCHEDULED_RESTART_DAYS": "0", "LOG_LEVEL": "debug",
}  # fmt: skip


def document(path: str, value: Any) -> dict[str, Any]:
    """A config with one key."""
    for name in reversed(path.split(".")):
        value = {name: value}
    found: dict[str, Any] = value
    return found


def only(config: dict[str, Any]) -> Outcome:
    """What came of the one key of a config."""
    (outcome,) = read_config(config).outcomes
    return outcome


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("settings.reconciliationIntervalMs", 15000, ("RECONCILIATION_INTERVAL_MS", "15000")),
        ("settings.targetStatePollIntervalMs", 1000, ("POLL_INTERVAL_MS", "1000")),
        ("settings.deviceReportIntervalMs", 30000, ("REPORT_INTERVAL_MS", "30000")),
        ("settings.stateReportIntervalMs", 30000, ("REPORT_INTERVAL_MS", "30000")),
        ("settings.metricsIntervalMs", 86400000, ("METRICS_INTERVAL_MS", "86400000")),
        ("intervals.agent.reconciliationIntervalMs", 1, None),
        ("intervals.agent.reconciliationIntervalMs", 9000, ("RECONCILIATION_INTERVAL_MS", "9000")),
        ("intervals.agent.targetStatePollIntervalMs", 9000, ("POLL_INTERVAL_MS", "9000")),
        ("intervals.agent.reportIntervalMs", 9000, ("REPORT_INTERVAL_MS", "9000")),
        ("intervals.agent.metricsIntervalMs", 9000, ("METRICS_INTERVAL_MS", "9000")),
        ("settings.POLL_INTERVAL_MS", 9000, ("POLL_INTERVAL_MS", "9000")),
        ("settings.POLL_INTERVAL_MS", "9000", ("POLL_INTERVAL_MS", "9000")),
        ("settings.DEVICE_NAME", "gate", ("DEVICE_NAME", "gate")),
        ("logging.level", "warn", ("LOG_LEVEL", "warn")),
        (
            "settings.scheduledRestart",
            {"enabled": True, "intervalDays": 7, "reason": "hygiene"},
            ("SCHEDULED_RESTART_DAYS", "7"),
        ),
        (
            "settings.scheduledRestart",
            {"enabled": False, "intervalDays": 7},
            ("SCHEDULED_RESTART_DAYS", "0"),
        ),
        ("settings.scheduledRestart", {}, ("SCHEDULED_RESTART_DAYS", "0")),
    ],
)
def test_a_key_is_for_a_setting(path: str, value: Any, expected: tuple[str, str] | None) -> None:
    reading = read_config(document(path, value))

    assert reading.values == (dict([expected]) if expected else {})
    assert [o.path for o in reading.outcomes] == [path]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("settings.metricsIntervalMs", "5000", "expected a whole number, not below 0, found '5000"),
        (
            "settings.metricsIntervalMs",
            5000.5,
            "expected a whole number, not below 0, found 5000.5",
        ),
        ("settings.metricsIntervalMs", True, "expected a whole number, not below 0, found True"),
        ("settings.metricsIntervalMs", -1, "expected a whole number, not below 0, found -1"),
        ("settings.metricsIntervalMs", [5000], "expected a whole number, not below 0, found 'a li"),
        ("settings.metricsIntervalMs", 999, "expected a whole number from 1000 to 86400000, found"),
        ("settings.reconciliationIntervalMs", 86400001, "expected a whole number from 1000 to"),
        ("settings.targetStatePollIntervalMs", 0, "expected a whole number from 1000 to 8640000"),
        ("settings.POLL_INTERVAL_MS", False, "expected a whole number from 1000 to 86400000, fo"),
        ("settings.DEVICE_NAME", " ", "expected a text that is not empty, found ' '"),
        ("logging.level", "loud", "expected one of debug, info, warn, error, found 'loud'"),
        ("logging.level", 7, "expected a text that is not empty, found 7"),
        ("logging.level", "", "expected a text that is not empty, found ''"),
        ("settings.scheduledRestart", True, "expected an object, found True"),
        ("settings.scheduledRestart", {"enabled": 1}, "settings.scheduledRestart.enabled: expec"),
        ("settings.scheduledRestart", {"enabled": True}, "settings.scheduledRestart.intervalDay"),
        (
            "settings.scheduledRestart",
            {"enabled": True, "intervalDays": 366},
            "settings.scheduledRestart.intervalDays: expected a whole number from 1 to 365, found",
        ),
        ("settings", [], "expected an object, found 'a list'"),
        ("intervals.agent", 5, "expected an object, found 5"),
        ("features.enableDeviceJobs", "yes", "expected true or false, found 'a text'"),
        ("sensors", {"password": "hush"}, "expected a list, found 'an object'"),
    ],
)
def test_a_value_that_cannot_be_used_is_rejected_and_says_what_can(
    path: str, value: Any, message: str
) -> None:
    outcome = only(document(path, value))

    assert (outcome.path, outcome.kind, outcome.reason) == (
        path, OutcomeKind.REJECTED, Reason.INVALID,
    )  # fmt: skip
    assert (outcome.message or "").startswith(message)


@pytest.mark.parametrize("name", [name for name, s in BY_NAME.items() if s.local_only])
def test_what_only_the_environment_may_set_is_rejected_and_its_value_not_repeated(
    name: str,
) -> None:
    reading = read_config({"settings": {name: "hush-hush"}})

    (outcome,) = reading.outcomes
    assert (outcome.kind, outcome.reason, outcome.setting) == (
        OutcomeKind.REJECTED, Reason.LOCAL_ONLY, name,
    )  # fmt: skip
    assert reading.values == {}
    assert "hush" not in str(outcome)


@pytest.mark.parametrize("name", ["CLOUD_API_ENDPOINT", "API_VERSION", "MAC_ADDRESS"])
def test_a_cloud_does_not_say_where_the_device_goes(name: str) -> None:
    reading = read_config({"settings": {name: "https://elsewhere.example"}})

    (outcome,) = reading.outcomes
    assert (outcome.kind, outcome.reason) == (OutcomeKind.REJECTED, Reason.DEVICE_ONLY)
    assert reading.values == {}


def test_the_number_of_records_kept_in_memory_is_for_the_environment() -> None:
    assert only({"logging": {"maxLogs": 5000}}).reason is Reason.LOCAL_ONLY


_SOMETHING = {
    Form.FLAG: True, Form.NUMBER: 60000, Form.TEXT: "k3s", Form.LIST: [{}], Form.OBJECT: {"a": 1}
}  # fmt: skip
_NOTHING = {Form.FLAG: False, Form.LIST: [], Form.OBJECT: {"enabled": False}}


@pytest.mark.parametrize("path", NOT_BUILT)
def test_what_is_not_built_is_called_unsupported(path: str) -> None:
    outcome = only(document(path, _SOMETHING[NOT_BUILT[path]]))

    assert (outcome.path, outcome.kind) == (path, OutcomeKind.UNSUPPORTED)
    assert outcome.message == "not supported by this version"


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, _NOTHING[form]) for path, form in NOT_BUILT.items() if form in _NOTHING]
    + [("settings.orchestrator", "docker")],
)
def test_what_is_off_is_as_wanted_also_where_it_is_not_built(path: str, value: Any) -> None:
    assert only(document(path, value)).kind is OutcomeKind.APPLIED


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"loging": {"level": "debug"}}, "loging"),
        ({"logging": {"lvl": "debug"}}, "logging.lvl"),
        ({"settings": {"poll interval": 5}}, "settings['poll interval']"),
        ({"intervals": {"agent.metricsIntervalMs": 5000}}, "intervals['agent.metricsIntervalMs']"),
        ({"intervals": {"metricsIntervalMs": 5000}}, "intervals.metricsIntervalMs"),
        ({"features": {"LOG_LEVEL": "debug"}}, "features.LOG_LEVEL"),
    ],
)
def test_an_unknown_key_is_named(config: dict[str, Any], path: str) -> None:
    outcome = only(config)

    assert (outcome.path, outcome.kind) == (path, OutcomeKind.UNKNOWN)


def test_nothing_is_said_of_what_is_empty_or_null() -> None:
    empty = {
        "settings": {},
        "intervals": {"agent": {}},
        "logging": {"level": None},
        "sensors": None,
    }
    assert read_config({}) == read_config(empty)
    assert read_config({}).outcomes == ()


def test_of_two_spellings_the_first_that_can_be_used_counts() -> None:
    reading = read_config(
        {
            "intervals": {"agent": {"metricsIntervalMs": 7000, "reportIntervalMs": 8000}},
            "settings": {
                "metricsIntervalMs": 6000,
                "deviceReportIntervalMs": "?",
                "stateReportIntervalMs": 8000,
            },
        }
    )  # fmt: skip

    said = {o.path: (o.kind, o.reason) for o in reading.outcomes}
    assert reading.values == {"METRICS_INTERVAL_MS": "6000", "REPORT_INTERVAL_MS": "8000"}
    assert said == {
        "settings.metricsIntervalMs": (OutcomeKind.APPLIED, None),
        "intervals.agent.metricsIntervalMs": (OutcomeKind.REJECTED, Reason.GIVEN_TWICE),
        "settings.deviceReportIntervalMs": (OutcomeKind.REJECTED, Reason.INVALID),
        "settings.stateReportIntervalMs": (OutcomeKind.APPLIED, None),
        "intervals.agent.reportIntervalMs": (OutcomeKind.APPLIED, None),
    }


def test_a_flood_of_unknown_keys_is_counted_and_hides_nothing() -> None:
    reading = read_config({**GOOD, **{f"x{n}": n for n in range(UNKNOWN_MAX + 700)}})

    unknown = [o for o in reading.outcomes if o.kind is OutcomeKind.UNKNOWN]
    assert len(unknown) == UNKNOWN_MAX + 1
    assert any(o.message == "700 more unknown keys, ignored" for o in unknown)
    assert reading.values == GOOD_VALUES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
_NAMES = sorted(
    {part for path in [*SETTING_KEYS, *NOT_BUILT] for part in path.split(".")} | {"odd", "", "…"}
)
CONFIGS = st.dictionaries(
    st.sampled_from(_NAMES), st.dictionaries(st.sampled_from(_NAMES), JSON) | JSON
)


@given(CONFIGS)
def test_whatever_comes_every_key_is_told_of_and_every_value_can_be_used(config: Any) -> None:
    reading = read_config(config)

    for name, text in reading.values.items():
        assert BY_NAME[name].is_for_the_cloud
        BY_NAME[name].parse(text, name)
    applied = {o.setting for o in reading.outcomes if o.kind is OutcomeKind.APPLIED and o.setting}
    assert applied == set(reading.values)
    told = {o.path.split(".")[0].split("[")[0] for o in reading.outcomes}
    said_something = {k for k, v in config.items() if k.isalpha() and v not in (None, {})}
    assert {k for k in said_something if not isinstance(config[k], dict)} <= told


@given(CONFIGS, CONFIGS)
def test_no_key_hinders_another(config: Any, more: Any) -> None:
    sections = ("settings", "logging", "intervals")
    others = {name: value for name, value in config.items() if name not in sections}
    beside = {
        name: {**value, **{k: v for k, v in more.items() if f"{name}.{k}" not in SETTING_KEYS}}
        for name, value in GOOD.items()
    }

    reading = read_config({**others, **beside})

    assert reading.values == GOOD_VALUES


def test_every_key_is_for_a_setting_that_there_is() -> None:
    assert {key.setting for key in SETTING_KEYS.values()} <= BY_NAME.keys()
    assert SETTING_KEYS.keys().isdisjoint(NOT_BUILT)
