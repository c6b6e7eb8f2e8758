"""The keys of a target's `config`: the newer and the older spellings of each.

A key is for a setting (`SETTING_KEYS`), or known and not built yet (`NOT_BUILT`), or unknown.
Below `settings` every setting has its own name as well, such as `settings.POLL_INTERVAL_MS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from iotistic.agent.setting_list import BY_NAME
from iotistic.model.errors import InvalidField

SECTIONS = frozenset(
    ["settings", "intervals", "intervals.agent", "intervals.discovery", "logging", "features"]
)
"""Objects whose keys are read one by one; any other key is read whole."""
RESTART_DAYS_MAX = 365


class Form(StrEnum):
    """What is expected under a key."""

    FLAG = "true or false"
    NUMBER = "a number, not below 0"
    TEXT = "a text"
    LIST = "a list"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingKey:
    """A key that is for a setting; `as_text(value, path)` gives what the setting parses."""

    setting: str
    as_text: Callable[[Any, str], str]


def _whole_number(value: Any, at: str) -> str:
    if form_of(value) is not Form.NUMBER or not isinstance(value, int):
        raise InvalidField(at, expected="a whole number, not below 0", found=told(value))
    return str(value)


def _word(value: Any, at: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidField(at, expected="a text that is not empty", found=told(value))
    return value


def _flag(value: Any, at: str) -> str:
    if not isinstance(value, bool):
        raise InvalidField(at, expected=Form.FLAG, found=told(value))
    return "true" if value else "false"


def _as_in_the_environment(value: Any, at: str) -> str:
    """A text as an environment variable has it, or the number or flag that it spells."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _word(value, at)


def _restart_days(value: Any, at: str) -> str:
    """`{enabled, intervalDays, reason}` as a number of days; 0 for never."""
    if not isinstance(value, Mapping):
        raise InvalidField(at, expected=Form.OBJECT, found=told(value))
    enabled = value.get("enabled", False)
    if not isinstance(enabled, bool):
        raise InvalidField(f"{at}.enabled", expected=Form.FLAG, found=told(enabled))
    days = value.get("intervalDays")
    if not enabled and days is None:
        return "0"
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= RESTART_DAYS_MAX:
        raise InvalidField(
            f"{at}.intervalDays",
            expected=f"a whole number from 1 to {RESTART_DAYS_MAX}",
            found=told(days),
        )
    return str(days) if enabled else "0"


def form_of(value: Any) -> Form | None:
    """Which form a JSON value has."""
    match value:
        case bool():
            return Form.FLAG
        case int() | float():
            return Form.NUMBER if value >= 0 else None
        case str():
            return Form.TEXT
        case list():
            return Form.LIST
        case Mapping():
            return Form.OBJECT
        case _:
            return None


def told(value: Any) -> Any:
    """A value as an error may show it: what holds others may hold anything."""
    form = form_of(value)
    return str(form) if form in (Form.LIST, Form.OBJECT) else value


def asks_for_nothing(value: Any) -> bool:
    """Whether a device that cannot do it already does as the value says: it is off, or empty."""
    if isinstance(value, Mapping):
        return not value or value.get("enabled") is False
    return value is False or value == []


_RECONCILIATION = SettingKey(setting="RECONCILIATION_INTERVAL_MS", as_text=_whole_number)
_POLL = SettingKey(setting="POLL_INTERVAL_MS", as_text=_whole_number)
_REPORT = SettingKey(setting="REPORT_INTERVAL_MS", as_text=_whole_number)
_CLOUD_LOGGING = SettingKey(setting="ENABLE_CLOUD_LOGGING", as_text=_flag)
_METRICS = SettingKey(setting="METRICS_INTERVAL_MS", as_text=_whole_number)

SETTING_KEYS: Mapping[str, SettingKey] = {
    "settings.reconciliationIntervalMs": _RECONCILIATION,
    "settings.targetStatePollIntervalMs": _POLL,
    "settings.deviceReportIntervalMs": _REPORT,
    "settings.stateReportIntervalMs": _REPORT,
    "settings.metricsIntervalMs": _METRICS,
    "settings.scheduledRestart": SettingKey(
        setting="SCHEDULED_RESTART_DAYS", as_text=_restart_days
    ),
    "intervals.agent.reconciliationIntervalMs": _RECONCILIATION,
    "intervals.agent.targetStatePollIntervalMs": _POLL,
    "intervals.agent.reportIntervalMs": _REPORT,
    "intervals.agent.metricsIntervalMs": _METRICS,
    "logging.level": SettingKey(setting="LOG_LEVEL", as_text=_word),
    "logging.maxLogs": SettingKey(setting="MAX_LOGS", as_text=_whole_number),
    "logging.enableRemoteLogging": _CLOUD_LOGGING,
    "logging.enableCompression": SettingKey(setting="LOG_COMPRESSION", as_text=_flag),
    "logging.enableFilePersistence": SettingKey(setting="LOG_FILE_PERSISTANCE", as_text=_flag),
    "logging.logMaxAge": SettingKey(setting="LOG_MAX_AGE", as_text=_whole_number),
    "logging.maxLogFileSize": SettingKey(setting="MAX_LOG_FILE_SIZE", as_text=_whole_number),
    "features.enableLogs": _CLOUD_LOGGING,
    **{
        f"settings.{name}": SettingKey(setting=name, as_text=_as_in_the_environment)
        for name in BY_NAME
    },
}
"""In the order of precedence: where two are for one setting, the first that can be used counts."""

ONLY_DOCKER = "settings.orchestrator"
"""`docker` is what this agent does anyway; it does no other one."""

NOT_BUILT: Mapping[str, Form] = {
    "settings.cloudJobsPollingIntervalMs": Form.NUMBER,
    "settings.shadowPublishIntervalMs": Form.NUMBER,
    ONLY_DOCKER: Form.TEXT,
    "settings.k3s": Form.OBJECT,
    "intervals.discovery.fullIntervalMs": Form.NUMBER,
    "intervals.discovery.lightIntervalMs": Form.NUMBER,
    "features.enableDeviceJobs": Form.FLAG,
    "features.enableDeviceSensorPublish": Form.FLAG,
    "features.enableDeviceRemoteAccess": Form.FLAG,
    "features.enableDevicePublish": Form.FLAG,
    "features.enableAnomalyDetection": Form.FLAG,
    "features.enableCloudJobs": Form.FLAG,
    "features.enableShadow": Form.FLAG,
    "sensors": Form.LIST,
    "endpoints": Form.LIST,
    "anomalyDetection": Form.OBJECT,
    "agent": Form.OBJECT,
    "host": Form.OBJECT,
    "registries": Form.LIST,
    "update_window": Form.OBJECT,
}
"""Known, with the form it has; not supported by this version."""
