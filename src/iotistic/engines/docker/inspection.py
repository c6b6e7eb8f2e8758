"""What the engine says of one container -> what it was made with, in the target's words. Pure."""

from __future__ import annotations

from iotistic.engines.docker.connection import decode
from iotistic.engines.docker.document import Document
from iotistic.engines.docker.fields import (
    hardware,
    network,
    process,
    resources,
    security,
    storage,
)
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import EngineUnavailable, InvalidField
from iotistic.model.image import ImageRef, parse_image
from iotistic.model.observation import Inspected
from iotistic.model.service import ServiceSpec

_ID = "sha256:"
_FIELDS = (process, resources, security, hardware, network, storage)


def read_inspected(content: bytes, request: ContainerRequest) -> Inspected:
    """Read `/containers/ID/json`; raises EngineUnavailable for what is no such answer."""
    found = decode(content, Document, what="a container")
    try:
        spec = ServiceSpec(image=_image(found, request))
        for field in _FIELDS:
            spec = field.read(spec, found, request)
    except (ValueError, InvalidField) as error:
        raise EngineUnavailable("the engine's answer about a container cannot be read") from error
    return Inspected(
        container_id=found.Id,
        spec=spec,
        started_at=found.State.StartedAt,
        restart_count=found.RestartCount,
    )


def _image(found: Document, request: ContainerRequest) -> ImageRef:
    name, wanted = found.Config.Image, request.spec.image
    # Of an id it says nothing by what name it was meant; which image that is shows in the listing.
    return wanted if name == wanted.familiar or name.startswith(_ID) else parse_image(name, at="")
