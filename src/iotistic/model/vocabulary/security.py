"""What a service may do: capabilities, options, groups, kernel settings, shared namespaces."""

from __future__ import annotations

import json
import re
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text
from iotistic.model.service import Pairs
from iotistic.model.vocabulary.entries import matching, text_pairs, texts, unset

_CAPABILITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_SYSCTL = re.compile(r"[a-z0-9_]+(?:[./][A-Za-z0-9_*-]+){1,15}")
_CONTAINER = re.compile(r"container:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PATH = re.compile(r"[A-Za-z0-9_./@:-]{1,255}")
_RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
_OPTIONS = ("apparmor", "label", "no-new-privileges", "seccomp", "systempaths")
_NO_NEW_PRIVILEGES = "no-new-privileges"


def capabilities(config: Fields, name: str) -> tuple[str, ...]:
    """Capabilities without their prefix, sorted: `cap_net_admin` is `NET_ADMIN`."""
    return tuple(sorted(set(texts(config, name, read=_capability))))


def _capability(raw: Any, at: str) -> str:
    expected = "a capability such as NET_ADMIN"
    text = check_text(raw, at, length_max=64, expected=expected).upper().removeprefix("CAP_")
    return check_text(text, at, pattern=_CAPABILITY, expected=expected)


def security_opt(config: Fields) -> tuple[str, ...]:
    """Options as `NAME=VALUE`, sorted; `no-new-privileges` alone is `=true`."""
    return tuple(sorted(set(texts(config, "security_opt", read=_option))))


def _option(raw: Any, at: str) -> str:
    expected = f"NAME=VALUE of {', '.join(_OPTIONS)}"
    text = check_text(raw, at, expected=expected)
    sign = "=" if "=" in text.partition("{")[0] else ":"
    name, _, value = text.partition(sign)
    if name == _NO_NEW_PRIVILEGES:
        value = value or "true"
        if value not in ("true", "false"):
            raise InvalidField(at, expected=f"{name}=true or =false", found=raw)
    elif name not in _OPTIONS or not value:
        raise InvalidField(at, expected=expected, found=raw)
    if name == "seccomp" and value.startswith("{"):
        value = _profile(value, at)
    elif name == "seccomp" and value not in ("unconfined", "builtin"):
        raise InvalidField(
            at,
            expected="seccomp=unconfined, seccomp=builtin, or the profile itself as JSON",
            found=raw,
            remedy="a file of the host is not read; write its content",
        )
    elif name == "systempaths" and value != "unconfined":
        raise InvalidField(at, expected="systempaths=unconfined", found=raw)
    return f"{name}={value}"


def _profile(text: str, at: str) -> str:
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidField(at, expected="a seccomp profile as JSON", found=text) from error
    return json.dumps(profile, sort_keys=True, separators=(",", ":"))


def group_add(config: Fields) -> tuple[str, ...]:
    """Further groups, by name or number."""

    def read(raw: Any, at: str) -> str:
        text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
        return check_text(text, at, pattern=_GROUP, expected="a group")

    return tuple(sorted(set(texts(config, "group_add", read=read))))


def sysctls(config: Fields) -> Pairs:
    """Kernel settings of the service's own namespaces."""
    found = text_pairs(config, "sysctls", pattern=_SYSCTL)
    return tuple(sorted((name.replace("/", "."), value) for name, value in found))


def userns_mode(config: Fields) -> str | None:
    """`host`: the users of the host, where the engine otherwise maps them."""
    return _one_of(config, "userns_mode", ("host",))


def pid(config: Fields) -> str | None:
    """Whose processes it sees: `host` or `container:ID`."""
    return _one_of(config, "pid", ("host",), container=True)


def ipc(config: Fields) -> str | None:
    """Whose shared memory it uses."""
    return _one_of(config, "ipc", ("host", "none", "private", "shareable"), container=True)


def uts(config: Fields) -> str | None:
    """`host`: it has the host's name."""
    return _one_of(config, "uts", ("host",))


def cgroup(config: Fields) -> str | None:
    """Which control groups it sees: `host` or `private`."""
    return _one_of(config, "cgroup", ("host", "private"))


def _one_of(
    config: Fields, name: str, values: tuple[str, ...], *, container: bool = False
) -> str | None:
    raw = unset(config, name)
    if raw is None:
        return None
    if isinstance(raw, str) and raw in values:
        return raw
    if container and isinstance(raw, str) and _CONTAINER.fullmatch(raw):
        return raw
    forms = [*values, "container:ID"] if container else values
    raise InvalidField(config.path(name), expected=f"one of {', '.join(forms)}", found=raw)


def cgroup_parent(config: Fields) -> str | None:
    """The control group under which that of the service stands."""
    return _word(config, "cgroup_parent", _PATH)


def runtime(config: Fields) -> str | None:
    """The engine's runtime that runs it."""
    return _word(config, "runtime", _RUNTIME)


def _word(config: Fields, name: str, pattern: re.Pattern[str]) -> str | None:
    raw = unset(config, name)
    return None if raw is None else matching(pattern, "a name")(raw, config.path(name))
