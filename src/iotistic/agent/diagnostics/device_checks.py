"""The device itself: who it is, what it keeps, what it runs, how the agent's services fare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotistic.agent.diagnostics.check import Finding, failed, ok, skipped, told, warning
from iotistic.agent.provisioning.status import machine_changed
from iotistic.agent.supervisor import ServiceState
from iotistic.model.words import Verdict

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

_BAD = (Verdict.DEGRADED, Verdict.REJECTED)


async def check_identity(rooms: Rooms) -> Finding:
    """The state folder was made on this machine."""
    if not rooms.provisioning.machine_matches:
        return told(machine_changed())
    identity = rooms.store.identity
    return ok(f"device {identity.uuid}", uuid=identity.uuid, created_at=identity.created_at_ms)


async def check_database(rooms: Rooms) -> Finding:
    """It answers, and nothing had to be mended when it was opened."""
    store = rooms.store
    await store.target()
    await store.intents()
    path = str(rooms.agent.database_path)
    if store.findings:
        codes = [finding.code for finding in store.findings]
        return warning(
            store.findings[0].message,
            "what was set aside stays beside it; iotctl db restore brings a backup back",
            path=path,
            findings=codes,
        )
    return ok(f"{path} answers", path=path)


async def check_target(rooms: Rooms) -> Finding:
    """The newest target was accepted, with all its fields."""
    snapshot = rooms.reconciler.snapshot()
    if snapshot.refusal is not None:
        return told(snapshot.refusal)
    if snapshot.target is None:
        return skipped("no target was ever accepted")
    version = snapshot.target.version
    if snapshot.target.warnings:
        return warning(snapshot.target.warnings[0], None, version=version)
    return ok(f"version {version}", version=version)


async def check_apps(rooms: Rooms) -> Finding:
    """Every app is settled."""
    verdicts = rooms.reconciler.snapshot().plan.verdicts
    bad = {i: v for i, v in verdicts.items() if v.verdict in _BAD}
    unsettled = {i: v for i, v in verdicts.items() if v.verdict is not Verdict.SETTLED}
    facts: dict[str, int] = {"apps": len(verdicts), "unsettled": len(unsettled)}
    if not unsettled:
        return ok(f"{len(verdicts)} settled", **facts)
    app_id, first = next(iter((bad or unsettled).items()))
    say = failed if bad else warning
    return say(
        f"app {app_id} {first.verdict}: {first.reason}",
        f"iotctl explain {app_id} says why",
        **facts,
    )


async def check_outbox(rooms: Rooms) -> Finding:
    """What is to leave the device does, and the account of it is right."""
    ledger = rooms.outbox.ledger()
    waiting = sum(found.waiting for found in ledger.values())
    dropped = sum(found.dropped_total for found in ledger.values())
    facts: dict[str, int] = {
        "written": sum(found.written for found in ledger.values()),
        "acknowledged": sum(found.acknowledged for found in ledger.values()),
        "waiting": waiting,
        "waiting_bytes": sum(found.waiting_bytes for found in ledger.values()),
        "dropped": dropped,
    }
    if wrong := [str(name) for name, found in ledger.items() if not found.balanced]:
        return failed(
            f"the account of {', '.join(wrong)} is wrong: records are missing from it",
            "a mistake of the agent: please report it, with iotctl support-bundle",
            **facts,
        )
    if dropped:
        return warning(
            f"{waiting} records wait; {dropped} were dropped since counting began",
            "iotctl outbox says which, and why",
            **facts,
        )
    return ok(f"{waiting} records wait, none was dropped", **facts)


async def check_safe_mode(rooms: Rooms) -> Finding:
    """The target is applied."""
    safe_mode = rooms.safe_mode
    if safe_mode is None or not safe_mode.is_on:
        return ok("the agent works normally")
    found = safe_mode.as_json()
    return failed(
        f"safe mode after {found['crashes']} fast crashes: services go on, nothing is applied"
        + (f" ({found['because']})" if found["because"] else ""),
        "correct the target, or try again now: iotctl safe-mode leave",
        crashes=found["crashes"],
    )


async def check_services(rooms: Rooms) -> Finding:
    """Every part of the agent runs."""
    services = rooms.supervision.services.values()
    facts: dict[str, int] = {
        "services": len(services),
        "restarts": sum(service.restarts for service in services),
    }
    for service in services:
        if service.state is ServiceState.BACKING_OFF:
            message = service.error.message if service.error else "failed"
            return failed(f"{service.name}: {message}", "iotctl logs says more", **facts)
    return ok("all parts of the agent run", **facts)


async def check_api(rooms: Rooms) -> Finding:
    """`iotctl` can reach the agent by both ways."""
    listening = rooms.listening
    for problem in listening.problems.values():
        return warning(problem.message, problem.remedy, code=problem.code)
    return ok(f"port {listening.port} on 127.0.0.1, and the socket", port=listening.port)
