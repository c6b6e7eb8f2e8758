"""From the wire's `config` of a service to a `ServiceSpec`: every field, every form it comes in.

Each field has one function that takes the raw value and the path to it. A new field of compose
is one more line in `parse_service_config` and, where it has forms of its own, one more function.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.image import ImageRef, parse_image
from iotistic.model.port_parser import parse_ports
from iotistic.model.reader import Fields, check_text
from iotistic.model.secret import Secret
from iotistic.model.service import (
    Mount,
    MountKind,
    NetworkAttachment,
    RestartName,
    RestartPolicy,
    ServiceSpec,
)

VOLUMES_MAX = 1000
RESERVED_LABELS = "iotistic."
_ENV_NAME = re.compile(r"[^=\s\0]{1,256}")
_LABEL_NAME = re.compile(r"[^=\s\0]{1,256}")
_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_OBJECT_EXPECTED = "a name of letters, digits, '_', '.' and '-', at most 63 long"
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_NETWORK_MODES = ("bridge", "host", "none")


def parse_service_config(service: Fields) -> ServiceSpec:
    """Read `imageName` and `config` of a service; raises InvalidField."""
    config = service.child("config")
    network_mode = _network_mode(config)
    networks = _networks(config)
    if network_mode is not None and networks:
        raise InvalidField(
            config.path("networks"),
            expected=f"no networks beside network_mode {network_mode}",
            found=[network.name for network in networks],
            remedy="remove one of the two",
        )
    spec = ServiceSpec(
        image=_image(service, config),
        command=_words(config, "command"),
        entrypoint=_words(config, "entrypoint"),
        environment=_environment(config),
        labels=_labels(config),
        ports=parse_ports(config),
        volumes=_volumes(config),
        networks=networks,
        network_mode=network_mode,
        restart=_restart(config),
        working_dir=_working_dir(config),
        user=config.optional_text("user", pattern=_USER, expected="a user or user:group") or None,
        hostname=config.optional_text("hostname", pattern=_HOSTNAME, expected="a host name"),
    )
    config.warn_unknown()
    return spec


def _image(service: Fields, config: Fields) -> ImageRef:
    outer, inner = service.raw("imageName"), config.raw("image")
    if outer is None and inner is None:
        raise InvalidField(service.path("imageName"), expected="an image reference")
    if outer is None:
        return parse_image(inner, at=config.path("image"))
    image = parse_image(outer, at=service.path("imageName"))
    if inner is not None and parse_image(inner, at=config.path("image")) != image:
        service.warnings.append(
            f"{config.path('image')}: differs from imageName, which is used ({image})"
        )
    return image


def _words(config: Fields, name: str) -> tuple[str, ...] | None:
    raw = config.raw(name)
    at = config.path(name)
    if raw is None:
        return None
    if isinstance(raw, str):
        try:
            return tuple(shlex.split(check_text(raw, at)))
        except ValueError as error:
            raise InvalidField(at, expected="a command with closed quotes", found=raw) from error
    if not isinstance(raw, list):
        raise InvalidField(at, expected="a text or a list of texts", found=raw)
    return tuple(check_text(word, f"{at}[{n}]") for n, word in enumerate(raw))


def _environment(config: Fields) -> tuple[tuple[str, Secret], ...]:
    values: dict[str, Secret] = {}
    for name, value, at in _pairs(config, "environment", secret=True):
        check_text(name, at, pattern=_ENV_NAME, expected="a variable name")
        if value is None:
            # A name without a value would mean "take it from where compose runs": there is no
            # such place on a fleet.
            config.warnings.append(f"{at}: {name} has no value, ignored")
            continue
        values[name] = Secret(value)
    return tuple(sorted(values.items(), key=lambda item: item[0]))


def _labels(config: Fields) -> tuple[tuple[str, str], ...]:
    values: dict[str, str] = {}
    for name, value, at in _pairs(config, "labels", secret=False):
        check_text(name, at, pattern=_LABEL_NAME, expected="a label name")
        if name.startswith(RESERVED_LABELS):
            raise InvalidField(
                at,
                expected=f"no label that starts with {RESERVED_LABELS!r}",
                found=name,
                remedy="these are the agent's own; use another prefix",
            )
        values[name] = value or ""
    return tuple(sorted(values.items()))


def _pairs(config: Fields, field: str, *, secret: bool) -> Iterator[tuple[str, str | None, str]]:
    """(name, value or None, path) of a mapping, or of a list of `name=value`."""
    raw = config.raw(field)
    at = config.path(field)
    if raw is None:
        return
    if isinstance(raw, Mapping):
        for name, value in raw.items():
            yield str(name), _scalar(value, f"{at}.{name}", secret=secret), f"{at}.{name}"
    elif isinstance(raw, list):
        for n, item in enumerate(raw):
            text = check_text(item, f"{at}[{n}]", secret=secret)
            name, found, value = text.partition("=")
            yield name, value if found else None, f"{at}[{n}]"
    else:
        raise InvalidField(at, expected="an object or a list", found=raw, secret=secret)


def _scalar(value: Any, at: str, *, secret: bool) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return check_text(value, at, secret=secret)


def _volumes(config: Fields) -> tuple[Mount, ...]:
    mounts = [
        _long_volume(raw, at, config.warnings)
        if isinstance(raw, Mapping)
        else _short_volume(raw, at)
        for n, raw in enumerate(config.items("volumes", high=VOLUMES_MAX))
        for at in (f"{config.path('volumes')}[{n}]",)
    ]
    mounts.sort()
    for one, other in itertools.pairwise(mounts):
        if one.target == other.target:
            raise InvalidField(
                config.path("volumes"), expected="each target path once", found=one.target
            )
    return tuple(mounts)


def _short_volume(raw: Any, at: str) -> Mount:
    expected = "NAME:/path[:ro] or /host/path:/path[:ro]"
    parts = check_text(raw, at, expected=expected).split(":")
    if len(parts) == 1:
        raise InvalidField(
            at, expected=expected, found=raw, remedy="name the volume, so that its data is kept"
        )
    options = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) > 3 or not set(options) <= {"ro", "rw"}:
        raise InvalidField(at, expected=expected, found=raw)
    return _mount(parts[0], parts[1], read_only="ro" in options, at=at)


def _long_volume(raw: Mapping[str, Any], at: str, warnings: list[str]) -> Mount:
    fields = Fields(raw, at, warnings=warnings)
    kind = fields.choice("type", MountKind, default=MountKind.VOLUME)
    mount = _mount(
        fields.text("source"),
        fields.text("target"),
        read_only=fields.boolean("read_only", default=False),
        at=at,
    )
    if mount.kind is not kind:
        raise InvalidField(
            fields.path("source"), expected=f"a source for {kind}", found=mount.source
        )
    fields.warn_unknown()
    return mount


def _mount(source: str, target: str, *, read_only: bool, at: str) -> Mount:
    kind = MountKind.VOLUME
    if source.startswith("/"):
        kind, source = MountKind.BIND, _absolute(source, at)
    elif not _OBJECT_NAME.fullmatch(source):
        raise InvalidField(at, expected="a volume name or an absolute path", found=source)
    return Mount(target=_absolute(target, at), source=source, kind=kind, read_only=read_only)


def _absolute(path: str, at: str) -> str:
    if not path.startswith("/") or ".." in path.split("/"):
        raise InvalidField(at, expected="an absolute path without '..'", found=path)
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _networks(config: Fields) -> tuple[NetworkAttachment, ...]:
    raw = config.raw("networks")
    at = config.path("networks")
    if raw is None:
        return ()
    if isinstance(raw, Mapping):
        found = [_long_network(name, value, at, config.warnings) for name, value in raw.items()]
    elif isinstance(raw, list):
        found = [
            NetworkAttachment(name=_object_name(name, f"{at}[{n}]")) for n, name in enumerate(raw)
        ]
    else:
        raise InvalidField(at, expected="a list of names or an object", found=raw)
    return tuple(sorted(set(found)))


def _long_network(name: Any, raw: Any, at: str, warnings: list[str]) -> NetworkAttachment:
    fields = Fields({} if raw is None else raw, f"{at}.{name}", warnings=warnings)
    aliases = fields.each("aliases", _object_name)
    fields.warn_unknown()
    return NetworkAttachment(name=_object_name(name, at), aliases=tuple(sorted(set(aliases))))


def _object_name(raw: Any, at: str) -> str:
    return check_text(raw, at, pattern=_OBJECT_NAME, expected=_OBJECT_EXPECTED)


def _network_mode(config: Fields) -> str | None:
    mode = config.optional_text("network_mode", "networkMode")
    if mode is None or mode == "":
        return None
    if mode not in _NETWORK_MODES:
        raise InvalidField(
            config.path("network_mode"),
            expected=f"one of {', '.join(_NETWORK_MODES)}",
            found=mode,
            remedy="or name networks under networks",
        )
    return mode


def _restart(config: Fields) -> RestartPolicy:
    raw = config.raw("restart")
    at = config.path("restart")
    if raw is None:
        return RestartPolicy()
    # YAML reads a bare `no` as False; to mean anything else by it would restart for ever.
    if raw is False or raw == "":
        return RestartPolicy(name=RestartName.NO)
    name, _, retries = str(raw).partition(":")
    try:
        policy = RestartName(name)
    except ValueError as error:
        raise InvalidField(
            at, expected="no, always, unless-stopped or on-failure[:N]", found=raw
        ) from error
    if retries and (policy is not RestartName.ON_FAILURE or not retries.isdigit()):
        raise InvalidField(at, expected="a number of retries after on-failure only", found=raw)
    return RestartPolicy(name=policy, retries_max=int(retries[:6]) if retries else 0)


def _working_dir(config: Fields) -> str | None:
    raw = config.optional_text("working_dir", "workingDir")
    return _absolute(raw, config.path("working_dir")) if raw else None
