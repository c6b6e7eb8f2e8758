"""Where the agent keeps what must not outlive a boot: a folder in memory, one part a device.

    RUNTIME_DIR/UUID/secrets/APP/SERVICE/NAME    a secret as a file, bound into the container
    RUNTIME_DIR/UUID/control/APP/SERVICE/        where a service and the agent speak to each other

Both are bound into containers, so the paths are the same for every start of the agent.
"""

from __future__ import annotations

CONTROL_TARGET = "/run/iotistic"
"""Where a service finds its control folder."""
UPDATE_LOCK = "update.lock"
"""The file in it that holds updates off; whoever makes it holds the lock."""
HANDOVER_COMPLETE = "handover-complete"
"""The file in it by which a new container says that it has taken over."""


def secret_file(runtime_dir: str, uuid: str, app_id: int, service_key: str, name: str) -> str:
    """The host's path of a secret as one service gets it."""
    return f"{runtime_dir}/{uuid}/secrets/{app_id}/{service_key}/{name}"


def control_folder(runtime_dir: str, uuid: str, app_id: int, service_key: str) -> str:
    """The host's path of a service's control folder."""
    return f"{runtime_dir}/{uuid}/control/{app_id}/{service_key}"
