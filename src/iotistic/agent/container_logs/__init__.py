"""What services say, on its way to the cloud: each line once, in order, whatever happens.

    container_logs  class ContainerLogs: which containers are followed, and when lines are stored
    follower        class Follower: one container, from its first line to its last
    place           how far a container was read, so that reading goes on from there
    rate            how much of a service is let through (pure)
    lines           from a container's line to one of the wire (pure)

Which containers there are is the reconciler's word; here only their output is asked for. Lines are
stored in the outbox together with the place up to which they were read, in one transaction. So a
kill, a reboot, an engine that restarts or a network that is cut loses no line that the engine still
has, and sends none twice. Nothing is held in memory beyond the lines of one second: who says more
than that is read more slowly, and the engine keeps the rest.
"""

from iotistic.agent.container_logs.container_logs import ContainerLogs
from iotistic.agent.container_logs.follower import ContainerLogSettings
from iotistic.agent.container_logs.rate import LogRate

__all__ = ["ContainerLogSettings", "ContainerLogs", "LogRate"]
