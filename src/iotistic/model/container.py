"""A container to be made, as planner and engine speak of it."""

from __future__ import annotations

from dataclasses import dataclass

from iotistic.model.service import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """One container to be made, every reference resolved to the engine's own names.

    `networks` are (engine name, aliases) in the order in which they are joined; empty with a
    `network_mode`. `volumes` gives the engine's name for each named volume of the specification.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    spec: ServiceSpec
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
