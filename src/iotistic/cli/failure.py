"""What went wrong, what to do next, and the exit code that says so to programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from iotistic.model.errors import IotisticError


class ExitCode(IntEnum):
    """The documented exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    REFUSED = 5
    TIMEOUT = 6
    DIFFERS = 7
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Failure(IotisticError):
    """A command could not do what it was asked. `body` is the error as the API told it.

    `also` are further faults of the same kind, a line each.
    """

    def __init__(
        self,
        message: str,
        exit_code: ExitCode = ExitCode.FAILED,
        *,
        code: str | None = None,
        remedy: str | None = None,
        body: Mapping[str, Any] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        super().__init__(message, code=code or exit_code.name.lower(), remedy=remedy)
        self.also = tuple(also)
        self.exit_code = exit_code
        self.body = body

    def as_json(self) -> dict[str, Any]:
        """The error for programs: as the API told it, else in the same form."""
        if self.body is not None:
            return dict(self.body)
        return {
            "error": self.exit_code.name,
            "message": self.message,
            "details": self.details(),
            "code": self.code,
        }


class ReaderGone(Exception):
    """Whoever read our stdout has enough. Not an error, and not for click, which has its own idea
    of a broken pipe.
    """


_BY_STATUS = {
    400: ExitCode.USAGE,
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    408: ExitCode.TIMEOUT,
    409: ExitCode.REFUSED,
    410: ExitCode.NOT_FOUND,
    412: ExitCode.REFUSED,
    413: ExitCode.USAGE,
    415: ExitCode.USAGE,
    422: ExitCode.USAGE,
    423: ExitCode.REFUSED,
    428: ExitCode.REFUSED,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.TIMEOUT,
}
_BY_CODE = {
    "ambiguous-service": ExitCode.USAGE,
    # The agent is there; what it lacks is behind it, and no later try brings it back.
    "database-unavailable": ExitCode.FAILED,
    "disk-full": ExitCode.FAILED,
}
_REMEDIES = {
    "already-provisioned": "to join another cloud: iotctl deprovision, then provision again",
    "ambiguous-service": "name one of them by container name, or by name-id",
    "app-not-found": "iotctl apps list shows them",
    "engine-unavailable": "see that the container engine runs; iotctl diagnostics tells more",
    "not-provisioned": "iotctl provision joins a cloud",
    "service-not-found": "iotctl services list shows them",
    "setting-not-found": "iotctl config show lists the settings",
    "starting": "the agent has just started; try again in a few seconds",
    "target-says-stopped": "change the target: iotctl fleet target edit",
}


def refusal(status: int, body: Mapping[str, Any], *, remedies: Mapping[str, str]) -> Failure:
    """The failure that an error body of either API tells. `remedies` add to ours, by code."""
    code = _text(body.get("code"))
    exit_code = _BY_CODE.get(code) or _BY_STATUS.get(status, ExitCode.FAILED)
    details = body.get("details")
    details = details if isinstance(details, Mapping) else {}
    remedy = _text(details.get("remedy")) or remedies.get(code) or _REMEDIES.get(code)
    message = _text(body.get("message")) or _text(body.get("error")) or f"refused with {status}"
    # Servers may put the remedy behind the sentence as well; once is enough.
    if remedy and message.endswith(f"; {remedy}"):
        message = message.removesuffix(f"; {remedy}")
    if candidates := _candidates(details.get("candidates")):
        message = f"{message}: {candidates}"
    return Failure(message, exit_code, code=code or None, remedy=remedy, body=body)


def _candidates(found: object) -> str:
    if not isinstance(found, list):
        return ""
    names = [
        _text(entry.get("containerName"))
        or f"{entry.get('serviceName')}-{entry.get('serviceId')} (app {entry.get('appId')})"
        for entry in found[:20]
        if isinstance(entry, Mapping)
    ]
    return ", ".join(names)


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
