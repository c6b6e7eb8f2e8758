"""The Device API: what the agent answers on its own machine (docs/reference/device-api.md).

    device_api         class DeviceAPI: the server, its two ways in
    endpoint_files     token, port file, socket: who may read them, what a dead agent left
    access             who is let in over TCP (pure), and how many at once
    requests, replies  bodies and queries in, JSON and errors out
    streams            NDJSON
    rooms, ports       the rooms of the agent it speaks for, and what it asks of them
    rows               services as they are listed, and finding one by a word (pure)
    *views             facts in, JSON out (pure)
    acts               what a person asks of services, and whether it has come true
    locks              a person's locks, and who holds changes off now
    question           a body as the target that is asked about (pure)
    downtime, risks    what a foreseen course costs, and what may go wrong with it (pure)
    *_routes           the handlers, one module a group of paths
    diagnostics        the checks

The invariant: nothing here touches the engine or waits for it before answering. A wish is stored
first and carried out by the reconciler; a reader that is gone leaves nothing running; no answer
holds a secret. Of the API only the token survives a restart.
"""

from iotistic.agent.api.device_api import DeviceAPI
from iotistic.agent.api.rooms import Rooms

__all__ = ["DeviceAPI", "Rooms"]
