"""What an engine sees of ours: facts, no opinions. Times are wall-clock seconds, for display."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of the engine. `references` in canonical form, by tag and by digest."""

    id: str
    references: tuple[str, ...]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network that carries this device's label: the engine's name, and the app's for it."""

    id: str
    name: str
    app_id: int
    short_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume that carries this device's label."""

    name: str
    app_id: int
    short_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that containers are made of."""

    images: tuple[Image, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
