"""Making a container: create, join its further networks; killed in between, create adopts it."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import msgspec

from iotistic.engines.docker.connection import Connection, decode
from iotistic.engines.docker.deadlines import LIST_S, MUTATE_S
from iotistic.engines.docker.errors import EngineAnswer, general
from iotistic.engines.docker.mapping import create_body, endpoint
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import MASK, EngineUnavailable, IotisticError, Refused
from iotistic.model.naming import LABEL_CONFIG_HASH, LABEL_DEVICE, device_labels

_MASKED_LENGTH_MIN = 3


class _Created(msgspec.Struct):
    Id: str


class _Config(msgspec.Struct):
    Labels: dict[str, str] | None = None


class _Attachments(msgspec.Struct):
    Networks: dict[str, msgspec.Raw] | None = None


class _Found(msgspec.Struct):
    Id: str
    Config: _Config
    NetworkSettings: _Attachments


async def create_container(connection: Connection, uuid: str, request: ContainerRequest) -> str:
    """Make it, or adopt the one that an interrupted call has left; returns its id.

    A failure leaves nothing behind. Being killed may leave one that has not joined all its
    networks, which a listing shows and the next call here completes.
    """
    what = f"create container {request.name}"
    try:
        content = await connection.fetch(
            "POST",
            "containers/create",
            params={"name": request.name},
            body=create_body(request, device_labels(uuid)),
            within_s=MUTATE_S,
        )
    except EngineAnswer as answer:
        if answer.status == 409 and "already in use" in answer.text:
            return await _adopt(connection, uuid, request, what, answer)
        # From the masked answer, so that not even a stack trace shows the other.
        masked = _masked(answer, request)
        raise _create_error(masked, what) from masked
    container_id = decode(content, _Created, what="a new container").Id
    try:
        for number in range(1, len(request.networks)):
            await _join(connection, container_id, request, number, what)
    except IotisticError:
        # Best effort: what stays is seen in the next listing and removed by the planner.
        with suppress(EngineAnswer, EngineUnavailable):
            await connection.fetch(
                "DELETE", f"containers/{container_id}", params={"force": "1"}, within_s=MUTATE_S
            )
        raise
    return container_id


async def _adopt(
    connection: Connection,
    uuid: str,
    request: ContainerRequest,
    what: str,
    conflict: EngineAnswer,
) -> str:
    path = f"containers/{quote(request.name, safe='')}/json"
    try:
        found = decode(await connection.fetch("GET", path, within_s=LIST_S), _Found, what=path)
    except EngineAnswer as answer:  # removed meanwhile: the next round makes it
        raise EngineUnavailable(f"{what}: {answer.text}") from answer
    labels = found.Config.Labels or {}
    wanted = {**dict(request.labels), **device_labels(uuid)}
    if any(labels.get(name) != wanted.get(name) for name in (LABEL_DEVICE, LABEL_CONFIG_HASH)):
        raise Refused(
            f"{what}: the name is taken by container {found.Id[:12]}, which is another one",
            code="name-taken",
            remedy="remove or rename the other container",
        ) from conflict
    joined = found.NetworkSettings.Networks or {}
    for number, joining in enumerate(request.networks):
        if joining.network not in joined:
            await _join(connection, found.Id, request, number, what)
    return found.Id


async def _join(
    connection: Connection, container_id: str, request: ContainerRequest, number: int, what: str
) -> None:
    name = request.networks[number].network
    try:
        await connection.fetch(
            "POST",
            f"networks/{quote(name, safe='')}/connect",
            body={"Container": container_id, "EndpointConfig": endpoint(request, number)},
            within_s=MUTATE_S,
        )
    except EngineAnswer as answer:
        raise general(answer, f"{what}, join network {name}") from answer


def _masked(answer: EngineAnswer, request: ContainerRequest) -> EngineAnswer:
    """The answer without values of the environment: the engine quotes what it cannot read."""
    text = answer.text
    for _, value in request.spec.environment:
        secret = value.reveal()
        if len(secret) >= _MASKED_LENGTH_MIN:
            text = text.replace(secret, MASK)
    return EngineAnswer(answer.status, text)


def _create_error(answer: EngineAnswer, what: str) -> IotisticError:
    if answer.status == 404 and "no such image" in answer.text.lower():
        return Refused(f"{what}: {answer.text}", code="image-not-found")
    return general(answer, what)
