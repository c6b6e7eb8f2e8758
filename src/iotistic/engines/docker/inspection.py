"""What the engine says of one container -> what it was made with, in the target's words. Pure."""

from __future__ import annotations

import msgspec

from iotistic.engines.docker.connection import decode
from iotistic.model.container import ContainerRequest
from iotistic.model.image import parse_image
from iotistic.model.observation import Inspected
from iotistic.model.secret import Secret
from iotistic.model.service import ServiceSpec


class _State(msgspec.Struct):
    StartedAt: str = ""


class _Config(msgspec.Struct):
    Image: str
    Cmd: list[str] | None = None
    Env: list[str] | None = None


class _Document(msgspec.Struct):
    Id: str
    State: _State
    Config: _Config
    RestartCount: int = 0


def read_inspected(content: bytes, request: ContainerRequest) -> Inspected:
    """Read `/containers/ID/json`."""
    found = decode(content, _Document, what="a container")
    pairs = (variable.partition("=")[::2] for variable in found.Config.Env or ())
    return Inspected(
        container_id=found.Id,
        spec=ServiceSpec(
            image=parse_image(found.Config.Image, at="Config.Image"),
            command=None if found.Config.Cmd is None else tuple(found.Config.Cmd),
            environment=tuple((name, Secret(value)) for name, value in sorted(pairs)),
            restart=request.spec.restart,
        ),
        started_at=found.State.StartedAt,
        restart_count=found.RestartCount,
    )
