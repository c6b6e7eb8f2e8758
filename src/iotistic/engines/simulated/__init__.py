"""A whole container engine without containers: for tests, and for trying things without Docker.

    engine      `SimulatedEngine`, the room's front: the Protocol
    calls       how each call is done: latencies, counts, faults
    faults      which calls go wrong next, and how
    streams     output and events
    stats       what its containers are said to use
    outside     what others do to it: kill, crash, update, fill its disk, take it down
    images      the registries of its world, and how a container of an image behaves
    daemon      every change of containers as a plain function of state and time (Docker 20.10's
                semantics)
    stock       the same for images, networks, volumes and the disk
    rules       what it refuses, and when it restarts a container
    state       what it holds, and how that looks in a listing
    inspection  how a container looks from near
    shelf       where it is held: in memory, or in a file that outlives the process
    access      the one way from all of these to the state

Nothing happens in the background. Whatever was due since the last look (a program that ended, a
restart) happens at the next look, at its own time, so a virtual clock may jump as it likes.
Contract tests run the same cases against this engine and Docker.
"""

from __future__ import annotations

from iotistic.engines.simulated.access import EngineClock
from iotistic.engines.simulated.calls import Latencies
from iotistic.engines.simulated.engine import SimulatedEngine
from iotistic.engines.simulated.faults import Fault, FaultKind, Faults
from iotistic.engines.simulated.images import SimulatedImage, SimulatedRegistry
from iotistic.engines.simulated.shelf import FileShelf, MemoryShelf, Shelf

__all__ = [
    "EngineClock",
    "Fault",
    "FaultKind",
    "Faults",
    "FileShelf",
    "Latencies",
    "MemoryShelf",
    "Shelf",
    "SimulatedEngine",
    "SimulatedImage",
    "SimulatedRegistry",
]
