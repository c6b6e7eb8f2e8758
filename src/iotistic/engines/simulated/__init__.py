"""A whole container engine without containers: for tests, and for trying things without Docker.

    engine    `SimulatedEngine`, the room's front: the Protocol, latencies, call counts
    faults    which calls go wrong next, and how
    outside   what others do to it: kill, crash, take the engine down, restart it
    images    the registries of its world, and how a container of an image behaves
    daemon    every change as a plain function of state and time (Docker 20.10's semantics)
    state     what it holds, and how that looks in a listing
    shelf     where it is held: in memory, or in a file that outlives the process
    access    the one way from all of these to the state

Nothing happens in the background. Whatever was due since the last look (a program that ended, a
restart) happens at the next look, at its own time, so a virtual clock may jump as it likes.
Contract tests run the same cases against this engine and Docker.
"""

from __future__ import annotations

from iotistic.engines.simulated.access import EngineClock
from iotistic.engines.simulated.engine import Latencies, SimulatedEngine
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
