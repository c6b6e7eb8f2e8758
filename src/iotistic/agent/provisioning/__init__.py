"""Joining a cloud, and leaving it.

    device_manager  class DeviceManager: the shell; joins when there is a key at hand, tries again
    decisions       whether to join, what is next, how long to wait (pure)
    transitions     from one phase to the next (pure), with a picture
    membership      class Membership: one method a task, each of which stores what came of it
    task_loop       class TaskLoop: the most urgent task first, failures with backoff
    registration    the conversations in both dialects
    replies         what the cloud answers, read at the edge (pure)
    pinned_ca       first contact with a private authority
    factory_reset   what would go, and a removal that goes on after a crash
    status          how it stands, for people
    settings        what the environment says

The invariant: uuid and keys are stored before the first request, the cloud's whole reply before
its first use, and every request may be repeated. So a kill, a lost reply or a cloud that is away
for an hour all end in one device with one set of credentials that work, and what worked before
goes on working until then.

What survives a restart is the `Identity` (phase, keys, link) in its file, and the journal of a
factory reset. What each phase means on the next start: `decisions.RESUME`.
"""

from iotistic.agent.provisioning.device_manager import DeviceManager
from iotistic.agent.provisioning.factory_reset import ResetPlan
from iotistic.agent.provisioning.settings import DialectChoice, ProvisioningSettings
from iotistic.agent.provisioning.status import ProvisioningStatus

__all__ = [
    "DeviceManager",
    "DialectChoice",
    "ProvisioningSettings",
    "ProvisioningStatus",
    "ResetPlan",
]
