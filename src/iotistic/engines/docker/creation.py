"""Making a container: create, join its further networks; killed in between, create adopts it."""

from __future__ import annotations

import logging
from contextlib import suppress
from urllib.parse import quote

import msgspec

from iotistic.engines.docker.capabilities import api_for
from iotistic.engines.docker.connection import Connection, Version, decode
from iotistic.engines.docker.deadlines import LIST_S, MUTATE_S
from iotistic.engines.docker.errors import CUT, EngineAnswer, general, layers_missing
from iotistic.engines.docker.fields.network import endpoint
from iotistic.engines.docker.mapping import create_body
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import MASK, EngineUnavailable, IotisticError, Refused
from iotistic.model.naming import LABEL_CONFIG_HASH, LABEL_DEVICE, device_labels
from iotistic.model.secret import Secret

log = logging.getLogger(__name__)

_MASKED_LENGTH_MIN = 3
# What the engine calls an error of its own, and would say each time.
_NEVER_TAKEN = ("--storage-opt is supported only", "is not supported by")


class _Created(msgspec.Struct):
    Id: str
    Warnings: list[str] | None = None


class _ImageConfig(msgspec.Struct):
    Entrypoint: list[str] | None = None


class _Image(msgspec.Struct):
    Config: _ImageConfig


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
    api = await _api(connection, request, what)
    try:
        body = create_body(
            request,
            device_labels(uuid),
            api=api,
            entrypoint=await _own_entrypoint(connection, request),
        )
        platform = request.spec.platform
        content = await connection.fetch(
            "POST",
            "containers/create",
            params={"name": request.name} | ({"platform": platform} if platform else {}),
            body=body,
            api=api,
            within_s=MUTATE_S,
        )
    except EngineAnswer as answer:
        if answer.status == 409 and "already in use" in answer.text:
            return await _adopt(connection, uuid, request, what, answer, api)
        # From the masked answer, so that not even a stack trace shows the other.
        masked = _masked(answer, request)
        raise _create_error(masked, what) from masked
    made = decode(content, _Created, what="a new container")
    container_id = made.Id
    for warning in made.Warnings or ():
        # A kernel without a feature: the engine makes the container without it.
        text = _masked(EngineAnswer(200, warning), request).text
        log.warning("engine warned", extra={"container": request.name, "warning": text})
    try:
        for number in range(1, len(request.networks)):
            await _join(connection, container_id, request, number, what, api)
    except IotisticError:
        # Best effort: what stays is seen in the next listing and removed by the planner.
        with suppress(EngineAnswer, EngineUnavailable):
            await connection.fetch(
                "DELETE", f"containers/{container_id}", params={"force": "1"}, within_s=MUTATE_S
            )
        raise
    return container_id


async def _api(connection: Connection, request: ContainerRequest, what: str) -> Version:
    try:
        engine = await connection.negotiate()
    except EngineAnswer as answer:
        raise general(answer, what) from answer
    return api_for(
        request, spoken=connection.spoken, newest=connection.newest, docker=engine.version
    )


async def _own_entrypoint(
    connection: Connection, request: ContainerRequest
) -> tuple[str, ...] | None:
    """The image's own entrypoint, where the request wants no command at all and says none.

    An empty command alone is the image's own to the engine; it is none beside an entrypoint.
    """
    spec = request.spec
    if spec.command != () or spec.entrypoint is not None:
        return None
    path = f"images/{request.image_id or spec.image.canonical}/json"
    content = await connection.fetch("GET", path, within_s=LIST_S)
    return tuple(decode(content, _Image, what="an image").Config.Entrypoint or ())


async def _adopt(
    connection: Connection,
    uuid: str,
    request: ContainerRequest,
    what: str,
    conflict: EngineAnswer,
    api: Version,
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
            await _join(connection, found.Id, request, number, what, api)
    return found.Id


async def _join(
    connection: Connection,
    container_id: str,
    request: ContainerRequest,
    number: int,
    what: str,
    api: Version,
) -> None:
    name = request.networks[number].network
    try:
        await connection.fetch(
            "POST",
            f"networks/{quote(name, safe='')}/connect",
            body={"Container": container_id, "EndpointConfig": endpoint(request, number)},
            api=api,
            within_s=MUTATE_S,
        )
    except EngineAnswer as answer:
        raise general(answer, f"{what}, join network {name}") from answer


def _masked(answer: EngineAnswer, request: ContainerRequest) -> EngineAnswer:
    """The answer without values of the environment: the engine quotes what it cannot read."""
    text = answer.text
    variables = (*request.spec.environment, *request.secret_environment)
    # The longest first, as one may be a part of another.
    for secret in sorted((_folded(value) for _, value in variables), key=len, reverse=True):
        if len(secret) >= _MASKED_LENGTH_MIN:
            text = _without_beginning(text.replace(secret, MASK), secret)
    return EngineAnswer(answer.status, text)


def _folded(value: Secret) -> str:
    """As it would stand in an answer, which is on one line."""
    return " ".join(value.reveal().split())


def _without_beginning(text: str, secret: str) -> str:
    """A long answer is cut off, maybe in the middle of a secret."""
    kept = text.removesuffix(CUT)
    if kept == text:
        return text
    for length in range(len(secret) - 1, _MASKED_LENGTH_MIN - 1, -1):
        if kept.endswith(secret[:length]):
            return f"{kept[:-length]}{MASK}{CUT}"
    return text


def _create_error(answer: EngineAnswer, what: str) -> IotisticError:
    if answer.status == 404 and "no such image" in answer.text.lower():
        return Refused(f"{what}: {answer.text}", code="image-not-found")
    if "does not match the specified platform" in answer.text:
        return Refused(
            f"{what}: {answer.text}",
            code="image-not-found",
            remedy="pull the image for that platform, or correct platform",
        )
    if (missing := layers_missing(answer, what)) is not None:
        return missing
    if answer.status >= 500 and any(words in answer.text for words in _NEVER_TAKEN):
        return Refused(f"{what}: {answer.text}")
    return general(answer, what)
