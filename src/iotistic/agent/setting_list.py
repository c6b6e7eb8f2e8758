"""Every setting of the agent: its name, its default, its limits and who may set it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from iotistic.agent.endpoint import parse_endpoint
from iotistic.agent.logs import LogFormat, LogLevel
from iotistic.agent.provisioning.settings import DEVICE_TYPE, DialectChoice
from iotistic.agent.traffic.link_use import BandwidthProfile
from iotistic.model.errors import InvalidField
from iotistic.planner.policy import Permission, parse_permissions

DAY_MS = 24 * 3600 * 1000
DATABASE_PATH = Path("data/device.sqlite")


class EngineKind(StrEnum):
    """`CONTAINER_ENGINE`: what runs the containers."""

    DOCKER = "docker"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing the agent can be told. `parse(text, name)` raises InvalidField.

    `local_only`: neither the cloud nor `config set` can change it, only the environment. So it is
    with what decides over trust, and with what is needed before the store can be opened.
    `device_only`: `config set` can, the cloud cannot. So it is with where a device looks for its
    cloud and which record it claims there: the one that speaks may be one that it is leaving.
    `restart`: a change counts from the next start.
    """

    name: str
    parse: Callable[[str, str], Any]
    about: str
    default: str | None = None
    secret: bool = False
    local_only: bool = False
    device_only: bool = False
    restart: bool = True

    @property
    def is_for_the_cloud(self) -> bool:
        """Whether the target's `config` may set it."""
        return not (self.local_only or self.device_only)


def _milliseconds(low: int) -> Callable[[str, str], int]:
    return _integer(low, DAY_MS)


def _integer(low: int, high: int) -> Callable[[str, str], int]:
    def parse(text: str, name: str) -> int:
        expected = f"a whole number from {low} to {high}"
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise InvalidField(name, expected=expected, found=text)
        if not low <= int(text) <= high:
            raise InvalidField(name, expected=expected, found=text)
        return int(text)

    return parse


def _share(text: str, name: str) -> float:
    expected = "a number from 0 to 1"
    try:
        found = float(text)
    except ValueError as error:
        raise InvalidField(name, expected=expected, found=text) from error
    if not 0.0 <= found <= 1.0:
        raise InvalidField(name, expected=expected, found=text)
    return found


def _boolean(text: str, name: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise InvalidField(name, expected="true or false", found=text)


def _word(kind: type[StrEnum]) -> Callable[[str, str], StrEnum]:
    def parse(text: str, name: str) -> StrEnum:
        try:
            return kind(text.lower())
        except ValueError as error:
            raise InvalidField(name, expected=f"one of {', '.join(kind)}", found=text) from error

    return parse


def _text(text: str, name: str) -> str:
    if len(text) > 4096 or "\0" in text:
        raise InvalidField(name, expected="a text of at most 4096 characters", found=len(text))
    return text


def _path(text: str, name: str) -> Path:
    return Path(_text(text, name))


def _names(text: str, name: str) -> frozenset[str]:
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := sorted(names - BY_NAME.keys()):
        raise InvalidField(name, expected="a comma list of settings", found=unknown[0])
    return names


def _endpoint(text: str, name: str) -> str:
    parse_endpoint(text, at=name, allow_insecure=True)  # whether it is allowed: when it is used
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="CLOUD_API_ENDPOINT", parse=_endpoint, device_only=True,
        about="Where the cloud is, when joining it.",
    ),
    Setting(
        name="PROVISIONING_API_KEY", parse=_text, secret=True, local_only=True,
        about="The key with which to join a cloud.",
    ),
    Setting(
        name="REQUIRE_PROVISIONING", parse=_boolean, default="false", local_only=True,
        about="Run no services before the device has joined a cloud once.",
    ),
    Setting(
        name="PROVISIONING_DIALECT", parse=_word(DialectChoice), default="auto", local_only=True,
        about="`v2`, the older `o1`, or `auto`: `o1` where the cloud does not know `v2`.",
    ),
    Setting(name="DEVICE_NAME", parse=_text, about="The name it joins with (`device-<uuid>`)."),
    Setting(
        name="DEVICE_TYPE", parse=_text, default=DEVICE_TYPE, about="The type it joins with."
    ),
    Setting(
        name="MAC_ADDRESS", parse=_text, device_only=True,
        about="Told when joining; found if not given.",
    ),
    Setting(name="OS_VERSION", parse=_text, about="Told when joining; found if not given."),
    Setting(name="APPLICATION_ID", parse=_text, about="Told when joining by the dialect `o1`."),
    Setting(
        name="CLOUD_CA_CERT", parse=_path, local_only=True,
        about="A PEM file with the authority to trust at the first contact with the cloud.",
    ),
    Setting(
        name="ALLOW_INSECURE_CLOUD", parse=_boolean, default="false", local_only=True,
        about="Allow plain HTTP beyond loopback, and a cloud that says not to verify TLS.",
    ),
    Setting(
        name="API_VERSION", parse=_text, default="v1", device_only=True,
        about="The version in cloud paths.",
    ),
    Setting(
        name="POLL_INTERVAL_MS", parse=_milliseconds(1000), default="60000", restart=False,
        about="How often to ask for the target.",
    ),
    Setting(
        name="REPORT_INTERVAL_MS", parse=_milliseconds(1000), default="10000", restart=False,
        about="The shortest time between two reports.",
    ),
    Setting(
        name="METRICS_INTERVAL_MS", parse=_milliseconds(1000), default="300000", restart=False,
        about="How often figures are recorded, and processes, interfaces and services reported.",
    ),
    Setting(
        name="RECONCILIATION_INTERVAL_MS", parse=_milliseconds(1000), default="30000",
        restart=False, about="How often to look at the engine when nothing calls for it.",
    ),
    Setting(
        name="SCHEDULED_RESTART_DAYS", parse=_integer(0, 365), default="0", restart=False,
        about="After how many days the agent restarts itself; services are not touched. 0: never.",
    ),
    Setting(
        name="LOG_LEVEL", parse=_word(LogLevel), default="info", restart=False,
        about="`debug`, `info`, `warn` or `error`.",
    ),
    Setting(
        name="LOG_FORMAT", parse=_word(LogFormat), local_only=True,
        about="`json` or `text` (on a terminal).",
    ),
    Setting(
        name="MAX_LOGS", parse=_integer(10, 100_000), default="1000", local_only=True,
        about="How many records the agent keeps in memory for `iotctl logs`.",
    ),
    Setting(
        name="LOG_FILE_PERSISTANCE", parse=_boolean, default="false", restart=False,
        about="Also keep the agent's log in files: five at most, for their owner only.",
    ),
    Setting(
        name="LOG_DIR", parse=_path, local_only=True,
        about="Where these files are (`logs` beside the database).",
    ),
    Setting(
        name="MAX_LOG_FILE_SIZE", parse=_integer(10_000, 10**9), default="5242880", restart=False,
        about="How many bytes one of them may have.",
    ),
    Setting(
        name="LOG_MAX_AGE", parse=_integer(60_000, 400 * DAY_MS), default="3600000", restart=False,
        about="After how many milliseconds a new file is begun, and older ones are removed.",
    ),
    Setting(
        name="ENABLE_CLOUD_LOGGING", parse=_boolean, default="true", restart=False,
        about="Send what agent and services say to the cloud.",
    ),
    *(
        Setting(
            name=f"CLOUD_LOG_SAMPLING_RATE_{level.upper()}", parse=_share, default=rate,
            restart=False,
            about=f"Which share of the agent's own lines of level `{level}` the cloud gets.",
        )
        for level, rate in zip(LogLevel, ("0.1", "0.5", "1.0", "1.0"), strict=True)
    ),
    Setting(
        name="CLOUD_LOG_UPLOAD_INTERVAL", parse=_milliseconds(1000), default="60000",
        restart=False, about="How often log lines are sent; sooner after an error, or when many.",
    ),
    Setting(
        name="LOG_COMPRESSION", parse=_boolean, default="true", restart=False,
        about="Send log lines and other records compressed.",
    ),
    Setting(
        name="BANDWIDTH_PROFILE", parse=_word(BandwidthProfile), default="normal", restart=False,
        about="`low`: an idle device comes to less than 1 MB a month, and is heard of every 2 h.",
    ),
    Setting(
        name="TRAFFIC_BUDGET_MB_MONTH", parse=_integer(0, 10**6), default="0", restart=False,
        about="How much the link to the cloud may take in a month (UTC), both ways. 0: no limit.",
    ),
    Setting(
        name="LOG_SAMPLE_CONTAINERS", parse=_boolean, default="false", restart=False,
        about="Sample the lines of services as well, by the same shares.",
    ),
    Setting(
        name="CONTAINER_LOG_RATE", parse=_integer(1, 100_000), default="100", restart=False,
        about="How many lines a second of each service the cloud gets, on the whole.",
    ),
    Setting(
        name="CONTAINER_LOG_BURST", parse=_integer(1, 1_000_000), default="1000", restart=False,
        about="How many lines it gets at once of a service that was quiet before.",
    ),
    Setting(
        name="CONTAINER_LOG_KIB_RATE", parse=_integer(1, 100_000), default="100", restart=False,
        about="How many KiB a second of each service, with a burst in the same proportion.",
    ),
    Setting(
        name="DATABASE_PATH", parse=_path, default=str(DATABASE_PATH), local_only=True,
        about="The agent's database; its folder holds the identity as well.",
    ),
    Setting(
        name="OUTBOX_MAX_MB", parse=_integer(4, 10**5), default="64", device_only=True,
        about="How much of events, readings, metrics and log lines may wait for the cloud.",
    ),
    Setting(
        name="STORAGE_RESERVE_MB", parse=_integer(0, 1024), default="8", local_only=True,
        about="Room on the disk that is kept for the agent's state, for the day it is full.",
    ),
    Setting(
        name="STATE_DIR", parse=_path, local_only=True,
        about="Where socket, token and port are kept for `iotctl` (the database's folder).",
    ),
    Setting(
        name="RUNTIME_DIR", parse=_path, local_only=True,
        about="A folder in memory for secrets and locks of services (`/run/iotistic`; for a user"
        " without rights there `iotistic` in `XDG_RUNTIME_DIR`).",
    ),
    Setting(
        name="DEVICE_API_PORT", parse=_integer(0, 65535), default="48484", local_only=True,
        about="The Device API's port on loopback; 0 lets the system choose.",
    ),
    Setting(
        name="CONTAINER_ENGINE", parse=_word(EngineKind), default="docker", local_only=True,
        about="`docker`, or `simulated`: an engine in memory, for trying things out.",
    ),
    Setting(
        name="DOCKER_HOST", parse=_text, local_only=True,
        about="The Docker Engine's address, as Docker's own client takes it.",
    ),
    Setting(
        name="REGISTRY_AUTH_FILE", parse=_path, local_only=True,
        about="Logins for registries, in the form of Docker's `config.json`.",
    ),
    Setting(
        name="DISK_FLOOR_MB", parse=_integer(0, 10**7), default="256",
        about="With less disk free nothing is pulled, and images that nobody needs go.",
    ),
    Setting(
        name="IMAGE_BUDGET_MB", parse=_integer(0, 10**7), default="1024",
        about="How much of images that nobody needs may stay, to go back to without a download.",
    ),
    Setting(
        name="MEMORY_FLOOR_MB", parse=_integer(0, 10**6), default="32",
        about="With less memory free nothing is pulled.",
    ),
    Setting(
        name="POLICY_ALLOW", parse=lambda text, name: parse_permissions(text, at=name), default="",
        local_only=True,
        about="What apps may do beyond the defaults, a comma list of"
        f" {', '.join(f'`{permission}`' for permission in Permission)}.",
    ),
    Setting(
        name="CONFIG_PIN", parse=_names, default="", local_only=True,
        about="Settings that keep their value from the environment, whatever else is set.",
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
ALIASES: Mapping[str, tuple[str, ...]] = {"STATE_DIR": ("CONFIG_DIR",)}
"""Older names under which a setting is read as well."""
