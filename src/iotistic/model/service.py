"""The specification of one service: compose's words, in one form each.

Parsing takes the short and the long forms and makes one of them, so that two ways to write the
same thing are equal afterwards. Holding a `ServiceSpec` means it was validated; whether this
device *allows* it is another question (`iotistic.planner.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.model.image import ImageRef
from iotistic.model.secret import Secret


class MountKind(StrEnum):
    """Where a mount's data lives."""

    VOLUME = "volume"
    BIND = "bind"


class RestartName(StrEnum):
    """The engine's restart policies."""

    NO = "no"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"
    ON_FAILURE = "on-failure"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PortBinding:
    """One published port. `host` None lets the engine choose; `host_ip` "" is every address."""

    container: int
    protocol: str = "tcp"
    host_ip: str = ""
    host: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mount:
    """A named volume of the app, or a path of the host, inside the container."""

    target: str
    source: str
    kind: MountKind = MountKind.VOLUME
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NetworkAttachment:
    """A network of the app that the service joins, with the names it answers to there."""

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RestartPolicy:
    """What the engine does when the service ends. `retries_max` 0 is without limit."""

    name: RestartName = RestartName.UNLESS_STOPPED
    retries_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """Everything that makes a container what it is. A change of any field means a new one.

    `command`, `entrypoint`: None is the image's own, () is none at all.
    `environment`, `labels`: sorted by name. `networks` is empty when `network_mode` is set.
    """

    image: ImageRef
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[tuple[str, Secret], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[PortBinding, ...] = ()
    volumes: tuple[Mount, ...] = ()
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str | None = None
    restart: RestartPolicy = RestartPolicy()
    working_dir: str | None = None
    user: str | None = None
    hostname: str | None = None
