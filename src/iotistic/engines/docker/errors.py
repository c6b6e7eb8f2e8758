"""What the engine's own errors mean to us.

The engine has few codes and many sentences. Its sentences name images, networks, ports and
paths; never a value of the environment, so they may be shown, shortened to one line.
"""

from __future__ import annotations

import re

from iotistic.model.errors import (
    Conflict,
    EngineFailed,
    EngineUnavailable,
    IotisticError,
    LayersMissing,
    NotFound,
    Refused,
)

_TEXT_LENGTH_MAX = 300
CUT = "…"
"""At the end of a text that was cut off."""
_PORT = re.compile(r"(?:for|listen \w+) (?P<ip>\S*):(?P<port>[0-9]{1,5})(?: failed)?:? ")
_RETRY_AFTER = re.compile(r"retry-after:\s*(?P<value>[0-9.]+)\s*(?P<unit>ms|s|m|h)?", re.IGNORECASE)
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_RETRY_AFTER_MAX_S = 24 * 3600.0

_NOT_FOUND = ("manifest unknown", "name unknown", "unknown blob", "not found", "no such image")
_DENIED = (
    "unauthorized",
    "access denied",
    "denied: requested",
    "resource is denied",
    "authentication required",
    "no basic auth credentials",
    "403 forbidden",
)
_RATE_LIMITED = (
    "toomanyrequests",
    "too many requests",
    "rate limit",
    "unexpected http status: 429",
)
_POOL = ("pool overlaps", "non-overlapping ipv4 address pool", "non-overlapping ipv6 address pool")
# What the engine calls an error of its own, and would say each time.
_NEVER_TAKEN = ("invalid subnet", "invalid cidr", "failed to parse", "not a swarm manager")
_TWINS = re.compile(r"network (?P<name>\S+) is ambiguous")
# Not what starting a program that is missing says: that names a place within the merged folder.
_LAYERS = re.compile(
    r"layer does not exist"
    r"|error creating overlay mount to \S+: no such file or directory"
    r"|open \S*/overlay2/[^/ ]+/\w+: no such file or directory"
    r"|snapshot \S+ does not exist"
)
_PORT_TAKEN = ("port is already allocated", "address already in use")


class EngineAnswer(Exception):
    """The engine answered with an error; not yet ours, since what it means depends on the call."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = one_line(text)


class NetworkTwins(Conflict):
    """Several networks have the name, so the engine does not know which of them is meant."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message, remedy="remove all networks of that name but one")
        self.name = name


def one_line(text: str) -> str:
    """An engine's sentence on one line, of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_LENGTH_MAX else line[: _TEXT_LENGTH_MAX - 1] + CUT


def general(answer: EngineAnswer, what: str) -> IotisticError:
    """What an error means where nothing more special is known; `what` was being done."""
    message = f"{what}: {answer.text}"
    if is_disk_full(answer.text):
        return disk_full(message)
    if (twins := network_twins(answer, what)) is not None:
        return twins
    if answer.status == 404:
        return NotFound(message)
    if answer.status in (403, 409):
        return Conflict(message)
    if answer.status < 500:
        return Refused(message)
    return EngineFailed(message)


def network_twins(answer: EngineAnswer, what: str) -> NetworkTwins | None:
    """The error if several networks have the name that was meant."""
    match = _TWINS.search(answer.text)
    return NetworkTwins(f"{what}: {answer.text}", match["name"]) if match else None


def object_error(answer: EngineAnswer, what: str) -> IotisticError:
    """Why a network or a volume could not be made."""
    if _any(_POOL, answer.text):
        return Refused(
            f"{what}: {answer.text}",
            code="network-pool-overlap",
            remedy="remove networks that are not used, or give the engine more address pools",
        )
    message = f"{what}: {answer.text}"
    if "plugin" in answer.text and "not found" in answer.text:
        return Refused(message, remedy="install the plugin, or name another driver")
    if "operation not supported" in answer.text:
        return Refused(message, remedy="this kernel has no such network driver")
    if _any(_NEVER_TAKEN, answer.text):
        return Refused(message, remedy="correct the network")
    return general(answer, what)


def pull_error(text: str, image: str) -> IotisticError:
    """Why a pull failed, from the engine's sentence, be it the answer or inside the stream.

    The order matters: a denial also says that the repository may not exist, and a rate limit
    may also say that one should log in.
    """
    text = one_line(text)
    message = f"pull {image}: {text}"
    if is_disk_full(text):
        return disk_full(message)
    if _any(_RATE_LIMITED, text):
        return EngineUnavailable(
            message,
            code="rate-limited",
            remedy="log in to the registry, or wait",
            retry_after_s=_retry_after_s(text),
        )
    if _any(_DENIED, text):
        return Refused(
            message, code="registry-denied", remedy="check the image's name and the credentials"
        )
    if _any(_NOT_FOUND, text):
        return Refused(message, code="image-not-found", remedy="check the image's name and tag")
    return EngineUnavailable(message, code="registry-unavailable")


def taken_port(answer: EngineAnswer) -> tuple[str, int] | None:
    """(host address, port) when a start failed since the port is taken; port 0 if not named."""
    if not _any(_PORT_TAKEN, answer.text):
        return None
    match = _PORT.search(answer.text)
    return (match["ip"], int(match["port"])) if match else ("", 0)


def layers_missing(answer: EngineAnswer, what: str) -> LayersMissing | None:
    """The error if it is about layers that are not all there (overlay2, containerd's snapshots)."""
    if _LAYERS.search(answer.text) is None:
        return None
    return LayersMissing(
        f"{what}: {answer.text}",
        remedy="remove the image by hand, docker rmi IMAGE, and it is pulled again",
    )


def is_disk_full(text: str) -> bool:
    """Whether a sentence speaks of a full disk."""
    return "no space left on device" in text.lower()


def disk_full(message: str) -> EngineUnavailable:
    """The engine's disk is full: may pass, but not soon."""
    return EngineUnavailable(
        message, code="disk-full", remedy="free space where the engine keeps images and containers"
    )


def _retry_after_s(text: str) -> float | None:
    match = _RETRY_AFTER.search(text)
    if match is None:
        return None
    try:
        return min(float(match["value"]) * _UNIT_S[match["unit"]], _RETRY_AFTER_MAX_S)
    except ValueError:
        return None


def _any(needles: tuple[str, ...], text: str) -> bool:
    lowered = text.lower()
    return any(needle in lowered for needle in needles)
