"""The device: everything that touches disk, network, clock or process, one room a concern.

    app           class DeviceAgent: the only place that wires the rooms together
    running       one run of them, and how it ends
    settings      what the environment says
    store         what must survive a power cut; who this device is
    provisioning  joining a cloud, and leaving it
    reconciler    making the engine match the target
    sync          the link to the cloud: poll and report
    telemetry     the host's figures
    logs          class AgentLogger
    api           the Device API
    host          files, locks, the init system, child processes

One lifecycle: every service has `async def run(self)`; `running` starts them in one TaskGroup, each
under a supervisor. Cancelling is stopping.
"""
