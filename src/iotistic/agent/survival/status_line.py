"""One line on how the agent does, for the service manager (`systemctl status`). Pure."""

from __future__ import annotations

from iotistic.agent.reconciler.snapshot import Snapshot


def status_line(snapshot: Snapshot, *, cloud: str | None, is_safe: bool) -> str:
    """What somebody who sees nothing else should know."""
    if is_safe:
        engine = "safe mode, nothing is applied"
    elif snapshot.engine_error is not None:
        engine = snapshot.engine_error.code.replace("-", " ")
    elif snapshot.look_error is not None:
        engine = snapshot.look_error.code.replace("-", " ")
    elif snapshot.target is None:
        engine = "no target yet"
    else:
        count = len(snapshot.target.apps)
        apps = "1 app" if count == 1 else f"{count} apps"
        engine = f"{apps}, {'as wanted' if snapshot.plan.settled else 'at work'}"
    return f"{engine}; {f'cloud {cloud}' if cloud else 'no cloud yet'}"
