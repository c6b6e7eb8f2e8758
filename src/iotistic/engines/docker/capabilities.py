"""What of a specification an older engine does not know.

It would leave such a field out without a word. So each says from which version of the API on it
is known; the request is made in that version, or refused where the engine has no such version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iotistic.engines.docker.connection import Version
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Refused
from iotistic.model.service import NetworkAttachment, ServiceSpec


@dataclass(frozen=True, slots=True)
class Newer:
    """A field that needs the API of a version, which came with that version of Docker."""

    field: str
    api: Version
    docker: str
    is_set: Callable[[ContainerRequest], bool]


def _of_spec(is_set: Callable[[ServiceSpec], object]) -> Callable[[ContainerRequest], bool]:
    return lambda request: bool(is_set(request.spec))


def _of_network(
    is_set: Callable[[NetworkAttachment], object],
) -> Callable[[ContainerRequest], bool]:
    return lambda request: any(is_set(joining.how) for joining in request.networks)


NEWER = (
    Newer(
        "security_opt: [seccomp=builtin]",
        (1, 42),
        "23.0",
        _of_spec(lambda spec: "seccomp=builtin" in spec.security_opt),
    ),
    Newer("annotations", (1, 43), "24.0", _of_spec(lambda spec: spec.annotations)),
    Newer(
        "healthcheck.start_interval",
        (1, 44),
        "25.0",
        _of_spec(lambda spec: spec.healthcheck and spec.healthcheck.start_interval_ms),
    ),
    Newer("networks.*.mac_address", (1, 44), "25.0", _of_network(lambda how: how.mac_address)),
    Newer("networks.*.gw_priority", (1, 48), "28.0", _of_network(lambda how: how.gw_priority)),
)
"""Every field that the oldest engine we speak with (20.10) does not know."""


def api_for(request: ContainerRequest, *, spoken: Version, newest: Version, docker: str) -> Version:
    """The version of the API to make `request` in; raises Refused (`engine-too-old`).

    `spoken` is what is spoken anyway, `newest` the newest that the engine, Docker `docker`, knows.
    """
    needed = [newer for newer in NEWER if newer.is_set(request)]
    for newer in needed:
        if newer.api > newest:
            raise Refused(
                f"create container {request.name}: {newer.field} needs Docker {newer.docker} or"
                f" newer, and this is {docker}",
                code="engine-too-old",
                remedy=f"update Docker, or leave out {newer.field}",
            )
    return max([spoken, *(newer.api for newer in needed)])
