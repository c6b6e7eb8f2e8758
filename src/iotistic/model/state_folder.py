"""The files in the agent's state folder by which `iotctl` finds it: both sides name them alike."""

from __future__ import annotations

SOCKET_FILE = "agent.sock"
ACCESS_FILE = "api-token"
PORT_FILE = "api.json"
