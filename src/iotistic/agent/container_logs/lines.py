"""From a container's line to one of the wire."""

from __future__ import annotations

import re
from typing import Any

from iotistic.agent.logs.lines import fitting
from iotistic.agent.logs.record import LogLevel
from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.observation import Container

_LOOKED_AT = 1024
_WORDS_WITHIN = 160

# Colors, cursor moves, titles of a terminal; a sequence that was cut off goes to the end.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)"
)
_CONTROLS = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09}
_CONTROLS[0x0D] = " "

_LEVELS = {
    LogLevel.DEBUG: ("trace", "debug", "dbg", "verbose", "finest", "finer", "fine", "10", "20"),
    LogLevel.INFO: ("info", "information", "notice", "30"),
    LogLevel.WARN: ("warn", "warning", "wrn", "40"),
    LogLevel.ERROR: (
        *("error", "err", "eror", "severe", "fatal", "critical", "crit", "alert", "emerg"),
        *("emergency", "panic", "50", "60"),
    ),
}
_BY_WORD = {word: level for level, words in _LEVELS.items() for word in words}
_NAMED = re.compile(
    r"""(?:^|[\s{,;])["']?(?:level|lvl|severity|loglevel|log\.level)["']?\s{0,3}[:=]\s{0,3}["']?(\w{2,11})""",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"(?:^|[\s\[(|<:])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|CRIT|PANIC)"
    r"(?=[\s\])|>:,]|$)"
)
_MARKED = re.compile(
    r"\[(trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|alert|emerg|panic)\]"
    r"|^(?:\S+ )?(debug|info|warn|warning|error|fatal|panic):(?:\s|$)",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """The text without what moves a terminal's cursor, and without what is no text."""
    if text.isprintable():
        return text
    return _ESCAPES.sub("", text).translate(_CONTROLS)


def level_of(text: str) -> LogLevel:
    """The level that a line names, else info: where it was written to says little."""
    head = text[:_LOOKED_AT]
    if (match := _NAMED.search(head)) and (level := _BY_WORD.get(match[1].lower())):
        return level
    head = head[:_WORDS_WITHIN]
    if match := _PLAIN.search(head):
        return _BY_WORD[match[1].lower()]
    if match := _MARKED.search(head):
        return _BY_WORD[(match[1] or match[2]).lower()]
    return LogLevel.INFO


def container_line(
    container: Container, line: ContainerLogLine, message: str, level: LogLevel
) -> dict[str, Any]:
    """A line as the cloud gets it; one that is too long is cut, and says so."""
    message, cut = fitting(message)
    found = {
        "message": message,
        "timestamp": line.time_ns // 1_000_000,
        "level": str(level),
        **_origin(container),
        "isStdErr": line.stderr,
    }
    return {**found, "truncated": True} if cut else found


def dropped_line(container: Container, count: int, at_ms: int) -> dict[str, Any]:
    """What the cloud gets in the place of lines that a service said too fast."""
    return {
        "message": f"{count} lines dropped" if count != 1 else "1 line dropped",
        "timestamp": at_ms,
        "level": str(LogLevel.WARN),
        **_origin(container),
        "isStdErr": False,
        "context": {"dropped": count, "reason": "rate"},
    }


def _origin(container: Container) -> dict[str, Any]:
    return {
        "source": {"type": "container", "name": container.service_name},
        "serviceId": container.service_id,
        "serviceName": container.service_name,
        "containerId": container.id,
        "isSystem": False,
    }
