"""The machine-readable words that cross rooms and the wire; kebab-case where they are ours."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """What a target wants of a service."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"


class ContainerState(StrEnum):
    """What an engine says a container is doing."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Verdict(StrEnum):
    """How an app stands after a planning round."""

    SETTLED = "settled"
    """Everything is as the target wants it."""
    APPLYING = "applying"
    """Steps are planned or under way."""
    WAITING = "waiting"
    """Nothing can be done now; each wait says why and until when."""
    DEGRADED = "degraded"
    """Nothing will be done, and it is not as wanted: a service ended and may not be restarted."""
    REJECTED = "rejected"
    """The target of this app is not allowed here; what runs is left as it is."""


class WaitReason(StrEnum):
    """Why nothing is done about something that is not as wanted."""

    STEP_IN_FLIGHT = "step-in-flight"
    IMAGE_PULLING = "image-pulling"
    BACKOFF = "backoff"
    ENGINE_RESTARTING = "engine-restarting"
    ENGINE_REMOVING = "engine-removing"
    IMAGES_OF_APP_MISSING = "images-of-app-missing"
    RESOURCES_MISSING = "resources-missing"
    PULL_SLOTS_TAKEN = "pull-slots-taken"
    ENDED = "ended"


class ConnectionState(StrEnum):
    """How the link to the cloud is, judged from real traffic."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class Dialect(StrEnum):
    """The wire dialect a device provisioned with."""

    V2 = "v2"
    O1 = "o1"


class LogComponent(StrEnum):
    """Who logs. Names that programs filter by, hence camelCase; also the room to look into."""

    AGENT = "agent"
    CONTAINER_MANAGER = "containerManager"
    STATE_RECONCILER = "stateReconciler"
    CLOUD_SYNC = "cloudSync"
    PROVISIONING = "provisioning"
    DATABASE = "database"
    DEVICE_API = "deviceApi"
    SUPERVISOR = "supervisor"
