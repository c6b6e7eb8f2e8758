"""What an engine sees of ours: facts, no opinions. Times are wall-clock seconds, for display."""

from __future__ import annotations

from dataclasses import dataclass, field

from iotistic.model.service import ServiceSpec
from iotistic.model.words import ContainerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container that carries this device's label.

    `networks` are engine names. `spec_hash` and `spec_fields` are the labels as written; None on
    a container that somebody else made. `exit_code` is known once it has ended.
    """

    id: str
    name: str
    app_id: int
    service_id: str
    service_name: str
    state: ContainerState
    image: str
    image_id: str
    spec_hash: str | None = None
    spec_fields: str | None = None
    networks: tuple[str, ...] = ()
    exit_code: int | None = None
    health: str | None = None
    created_s: float = 0.0
    network_mode: str = ""
    up_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of the engine. `references` in canonical form, by tag and by digest."""

    id: str
    references: tuple[str, ...]
    size_bytes: int = 0
    created_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network that carries this device's label: the engine's name, and the app's for it.

    `spec_hash` is the label as written; None: made by an older agent, with the defaults.
    """

    id: str
    name: str
    app_id: int
    short_name: str
    spec_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume that carries this device's label; `spec_hash` as for a network."""

    name: str
    app_id: int
    short_name: str
    spec_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that containers are made of.

    `other_networks`, `other_volumes` are the names of those without our label: an app may use
    them as external ones. `images_in_use` are the ids of images that any container is made of,
    also another device's or a person's.
    """

    images: tuple[Image, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    other_networks: frozenset[str] = frozenset()
    other_volumes: frozenset[str] = frozenset()
    images_in_use: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """One container looked at closely: what it was really made with, in the target's words.

    `spec` has everything the engine echoes, the engine's and image's own values included; names
    of networks and volumes are the app's. What the agent itself adds is left out of it.
    """

    container_id: str
    spec: ServiceSpec
    started_at: str | None = None
    restart_count: int = 0
