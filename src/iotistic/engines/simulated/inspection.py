"""A simulated container looked at closely, as the real engine shows one: with its own defaults."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from iotistic.engines.attachments import own_attachment
from iotistic.engines.simulated.state import SimulatedContainer
from iotistic.model.container import ContainerRequest
from iotistic.model.observation import Inspected
from iotistic.model.secret import Secret
from iotistic.model.service import Logging, NetworkAttachment, ServiceSpec

_SHM_BYTES = 67_108_864
_ENVIRONMENT = (("PATH", Secret("/bin")),)
_COMMAND = ("/bin/sh",)


def inspected(container: SimulatedContainer, request: ContainerRequest) -> Inspected:
    """What it was made with, in the words of `request`."""
    spec = _known(container.spec, request)
    moded = not request.networks and container.network_mode == request.network_mode
    return Inspected(
        container_id=container.id,
        spec=replace(
            with_defaults(spec),
            networks=_networks(container, request),
            network_mode=request.spec.network_mode
            if moded or request.networks
            else container.network_mode,
        ),
        started_at=container.started_text,
        restart_count=container.restart_count,
    )


def without_secrets(spec: ServiceSpec) -> ServiceSpec:
    """The specification with fingerprints in place of values that may be secret.

    A state on disk is for everybody who may read that file, and needs no more to be compared.
    """
    variables = ((name, Secret(_fingerprint(value))) for name, value in spec.environment)
    return replace(spec, environment=tuple(variables))


def _fingerprint(value: Secret) -> str:
    return hashlib.sha256(value.reveal().encode()).hexdigest()


def _known(spec: ServiceSpec, request: ContainerRequest) -> ServiceSpec:
    """With the values of the request where the fingerprint is that of the request's value."""
    wanted = dict(request.spec.environment)

    def known(name: str, mark: Secret) -> Secret:
        value = wanted.get(name)
        return value if value is not None and _fingerprint(value) == mark.reveal() else mark

    variables = ((name, known(name, mark)) for name, mark in spec.environment)
    return replace(spec, environment=tuple(variables))


def with_defaults(spec: ServiceSpec) -> ServiceSpec:
    """The specification with what engine and image add by themselves where it says nothing."""
    environment = dict(_ENVIRONMENT) | dict(spec.environment)
    return replace(
        spec,
        command=_COMMAND if spec.command is None and spec.entrypoint is None else spec.command,
        environment=tuple(sorted(environment.items(), key=lambda pair: pair[0])),
        logging=spec.logging or Logging(driver="json-file"),
        shm_size=spec.shm_size or _SHM_BYTES,
        ipc=spec.ipc or "private",
        runtime=spec.runtime or "runc",
        privileged=bool(spec.privileged),
        read_only=bool(spec.read_only),
        tty=bool(spec.tty),
        stdin_open=bool(spec.stdin_open),
        oom_score_adj=spec.oom_score_adj or 0,
        user=spec.user or "",
        working_dir=spec.working_dir or "",
    )


def _networks(
    container: SimulatedContainer, request: ContainerRequest
) -> tuple[NetworkAttachment, ...]:
    if not request.networks:
        return ()
    found = (own_attachment(request, name, how) for name, how in container.networks.items())
    return tuple(sorted(attachment for attachment in found if attachment is not None))
