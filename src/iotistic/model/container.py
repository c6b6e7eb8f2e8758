"""What is to be made in an engine, as planner and engine speak of it."""

from __future__ import annotations

from dataclasses import dataclass

from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import NetworkAttachment, Pairs, ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """A network to join: the engine's name for it, and how.

    Its aliases hold the service's name.
    """

    network: str
    how: NetworkAttachment


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFolder:
    """Something the agent keeps on the host, mounted into the container at `target`.

    A folder; or with `content` a file that holds it, owned by `uid`:`gid` with `mode`.
    """

    source: str
    target: str
    read_only: bool
    content: Secret | None = None
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """One container to be made, every reference resolved to the engine's own names.

    `networks` in the order in which they are joined; empty with a `network_mode`, and
    `spec.networks` is not looked at. `image_id` is the image to make it of where its reference
    means another one by now, else "". `network_mode` is as the engine takes it (`service:` is
    `container:ID` there). `volumes` gives the engine's name for each named volume.
    `secret_environment` are variables beyond `spec.environment`. `folders` is what the agent adds
    by itself; it is no part of any comparison.
    """

    name: str
    labels: Pairs
    spec: ServiceSpec
    image_id: str = ""
    networks: tuple[Joining, ...] = ()
    network_mode: str | None = None
    volumes: Pairs = ()
    secret_environment: tuple[tuple[str, Secret], ...] = ()
    folders: tuple[HostFolder, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """One network to be made."""

    name: str
    labels: Pairs
    spec: NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRequest:
    """One volume to be made."""

    name: str
    labels: Pairs
    spec: VolumeSpec
