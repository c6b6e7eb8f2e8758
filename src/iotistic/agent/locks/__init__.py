"""Folders in which a service and the agent speak to each other, by files.

    RUNTIME_DIR/UUID/control/APP/SERVICE/    on the host
    /run/iotistic/                           in the service's container

    update.lock         made by the service: no update of the app now; removed: go on
                        made by the agent: an update is under way
    handover-complete   made by a new container: it has taken over from the old one

Everything in them is written by containers that nobody here trusts. So existence is what counts;
content is read only from a plain file, a few KiB of it, and is only ever shown or taken for a
span. No link is followed and no device opened, whatever a container puts in the place of a file.

A service's lock ends with its container: when that has ended, and the engine does not start it
again, nobody is left who could let go of it. Then the agent removes it.

The agent's own lock is made complete elsewhere and linked into place, so that there is never half
a one that nobody owns. A lock of ours that a killed agent left is ours again. Nothing of it
outlives a boot.
"""

from iotistic.agent.locks.control_folders import ControlFolders
from iotistic.agent.locks.lock_file import OWNER

__all__ = ["OWNER", "ControlFolders"]
