"""What one call of `iotctl` knows: its options, and from them the way to agent, cloud and user."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from iotistic.cli.failure import ExitCode, Failure

if TYPE_CHECKING:
    from iotistic.cli.http_client import HttpClient
    from iotistic.cli.output import Output

TIMEOUT_S = 30.0


@dataclass(slots=True)
class Options:
    """The global options. Filled while the command line is read, wherever they stand."""

    state_dir: str | None = None
    api_url: str | None = None
    as_json: bool = False
    quiet: bool = False
    no_color: bool = False
    timeout_s: float | None = None
    yes: bool = False


class Session:
    """One call. Everything behind it is made when it is first used."""

    def __init__(self) -> None:
        self.options = Options()

    @cached_property
    def out(self) -> Output:
        """Where to say it."""
        from iotistic.cli.output import Output

        color = not self.options.no_color and not os.environ.get("NO_COLOR")
        return Output(as_json=self.options.as_json, quiet=self.options.quiet, color=color)

    @property
    def device(self) -> HttpClient:
        """The agent's API, found anew each time: the agent may have moved meanwhile."""
        from iotistic.cli.device_peer import find_agent
        from iotistic.cli.http_client import HttpClient

        peer = find_agent(
            os.environ,
            state_dir=self.options.state_dir,
            api_url=self.options.api_url,
            cwd=Path.cwd(),
        )
        return HttpClient(peer, timeout_s=self.timeout_s)

    @property
    def cloud(self) -> HttpClient:
        """The cloud's API, as the operator who logged in."""
        from iotistic.cli.cloud_peer import make_cloud_peer
        from iotistic.cli.fleet_file import current_login
        from iotistic.cli.http_client import HttpClient

        login = current_login(os.environ)
        return HttpClient(make_cloud_peer(login), timeout_s=self.timeout_s)

    @property
    def timeout_s(self) -> float:
        """How long one exchange may take, in seconds."""
        return self.options.timeout_s or TIMEOUT_S

    @property
    def person(self) -> str:
        """Who asks, as a name for locks and the journal; no proof of anything."""
        import getpass

        try:
            return (os.environ.get("SUDO_USER") or getpass.getuser())[:100]
        except (KeyError, OSError):  # a user id without a name
            return f"uid {os.getuid()}"

    @property
    def now_ms(self) -> int:
        """Wall time, for ages on display."""
        return time.time_ns() // 1_000_000

    def confirm(self, question: str) -> None:
        """Return if the user agrees; raises Failure if not, or if nobody is there to ask."""
        if self.options.yes:
            return
        if not sys.stdin.isatty():
            raise Failure(
                "this asks first, and nobody is there to answer",
                ExitCode.USAGE,
                code="needs-yes",
                remedy="if you mean it, give --yes",
            )
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Failure("nothing was done", code="not-confirmed")
