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
    """The target of this app is not allowed here, or was not well and was taken back."""
    ABORTED = "aborted"
    """It cannot be completed: a service waits for what can never come."""
    INTERRUPTED = "interrupted"
    """All is as the target wants it but for what a person stopped."""


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
    LOCKED = "locked"
    DEPENDENCY = "dependency"
    """Another service is not yet in the condition that this one waits for."""
    DEPENDENCY_FAILED = "dependency-failed"
    """Another service can never come into that condition."""
    DEPENDENTS_FIRST = "dependents-first"
    """What depends on it is stopped before it."""
    HANDOVER = "handover"
    """The new container has not taken over from the old one yet."""
    VERIFYING = "verifying"
    """All runs; the release is watched for a while before it counts as good."""
    DISK_LOW = "disk-low"
    MEMORY_LOW = "memory-low"
    IMAGE_NOT_ALLOWED = "image-not-allowed"
    """The image is not here, and the target forbids to pull it."""
    EXTERNAL_MISSING = "external-missing"
    """A network or volume that others are to make is not there."""
    HEALTH_STARTING = "health-starting"
    """Its health check has not said anything yet."""
    UNHEALTHY = "unhealthy"
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
    CONFIG_MANAGER = "configManager"
    PROVISIONING = "provisioning"
    DATABASE = "database"
    DEVICE_API = "deviceApi"
    SUPERVISOR = "supervisor"
    CONTAINER_LOGS = "containerLogs"
    OUTBOX = "outbox"
    COURIER = "courier"
