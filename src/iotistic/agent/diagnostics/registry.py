"""Every check, in the order in which a person would look."""

from __future__ import annotations

from iotistic.agent.diagnostics import cloud_checks, device_checks, engine_checks, host_checks
from iotistic.agent.diagnostics.check import Check

CHECKS: tuple[Check, ...] = (
    Check(id="identity", title="who this device is", run=device_checks.check_identity),
    Check(id="credentials", title="its membership in a cloud", run=cloud_checks.check_credentials),
    Check(id="dns", title="the cloud's name", run=cloud_checks.check_dns),
    Check(id="tls", title="the cloud's certificate", run=cloud_checks.check_tls, timeout_s=10.0),
    Check(id="cloud", title="the link to the cloud", run=cloud_checks.check_cloud),
    Check(id="mqtt", title="the link to a broker", run=cloud_checks.check_mqtt),
    Check(id="engine", title="the container engine", run=engine_checks.check_engine),
    Check(id="target", title="what is wanted", run=device_checks.check_target),
    Check(id="apps", title="how the apps stand", run=device_checks.check_apps),
    Check(id="ports", title="ports of the host", run=engine_checks.check_ports),
    Check(id="safe-mode", title="whether it applies the target", run=device_checks.check_safe_mode),
    Check(id="services", title="the agent's own services", run=device_checks.check_services),
    Check(id="database", title="the agent's database", run=device_checks.check_database),
    Check(id="outbox", title="what is to leave the device", run=device_checks.check_outbox),
    Check(id="disk", title="room for the agent's state", run=host_checks.check_disk),
    Check(id="memory", title="memory", run=host_checks.check_memory),
    Check(id="clock", title="the wall clock", run=host_checks.check_clock),
    Check(id="permissions", title="rights of files", run=host_checks.check_permissions),
    Check(id="runtime-dir", title="the folder in memory", run=host_checks.check_runtime_dir),
    Check(id="watchdog", title="who watches the agent", run=host_checks.check_watchdog),
    Check(id="api", title="the Device API", run=device_checks.check_api),
)
"""The ids are stable: scripts and people name them."""
