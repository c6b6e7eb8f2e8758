"""The Docker Engine, over its own API socket (20.10 and newer).

    engine       `DockerEngine`, the room's front
    host         where the engine is: DOCKER_HOST and its companions
    connection   one request: deadline, size limit, version, errors
    deadlines    how long each class of call may take
    errors       what the engine's sentences mean to us
    listing      its listings -> observations
    mapping      ContainerRequest -> the body of a create call (pure)
    fields/      each field of a service: how it is written, how it is read back (pure)
    document     the engine's JSON about one container
    inspection   that JSON -> what the container was made with, in the target's words (pure)
    capabilities which fields an older engine does not know, and so are refused there
    creation     making a container, or adopting what an interrupted call left
    lifecycle    start, stop, restart, pause, unpause, rename, remove
    images       removing images, and the room for them
    objects      networks and volumes
    pull         progress, and the errors inside the stream
    logs, events streams
    stats        what a running container used
    credentials  logins for registries from Docker's own kind of file

Nothing is kept between calls but the connection: after a restart of the agent or of the engine
the next listing tells all. The invariant: nothing without this device's label is touched.
"""

from __future__ import annotations

from iotistic.engines.docker.engine import DockerEngine
from iotistic.engines.docker.host import DockerHost, docker_host

__all__ = ["DockerEngine", "DockerHost", "docker_host"]
