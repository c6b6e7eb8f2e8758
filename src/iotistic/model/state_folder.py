"""The files in the agent's state folder that `iotctl` looks at as well: both name them alike."""

from __future__ import annotations

SOCKET_FILE = "agent.sock"
ACCESS_FILE = "api-token"
PORT_FILE = "api.json"
DATABASE_FILE = "device.sqlite"
IDENTITY_FILE = "identity.json"
KEY_FILE = "database.key"
LAST_TARGET_FILE = "target-last-good.json"
LOCK_SUFFIX = ".lock"
