"""Where a service keeps data: named volumes, paths of the host, file systems in memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text
from iotistic.model.service import Mount, MountKind, Tmpfs
from iotistic.model.vocabulary.entries import OBJECT_NAME, absolute, each, unset
from iotistic.model.vocabulary.quantities import bytes_of, whole

VOLUMES_MAX = 1000
_SHORT_EXPECTED = "NAME:/path[:ro] or /host/path:/path[:ro]"
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_DEFAULT_PROPAGATION = "rprivate"
_WITHOUT_MEANING = ("cached", "delegated", "consistent", "volume-nocopy")
_RELABEL = ("z", "Z")
_TMPFS_OPTION = re.compile(r"[a-z]{1,32}(?:=[A-Za-z0-9%.:_-]{1,64})?")
_OCTAL = re.compile(r"0?o?[0-7]{1,4}")
_MODE_MAX = 0o7777


class _Kind(StrEnum):
    VOLUME = "volume"
    BIND = "bind"
    TMPFS = "tmpfs"


def storage(config: Fields) -> tuple[tuple[Mount, ...], tuple[Tmpfs, ...]]:
    """`volumes` and `tmpfs`, each sorted by where it is mounted, each such path once."""
    mounts: list[Mount] = []
    in_memory = [_short_tmpfs(raw, at) for raw, at in each(config, "tmpfs")]
    for n, raw in enumerate(config.items("volumes", high=VOLUMES_MAX)):
        at = f"{config.path('volumes')}[{n}]"
        found = (
            _long(config.nested(raw, at)) if isinstance(raw, Mapping) else _short(config, raw, at)
        )
        if isinstance(found, Mount):
            mounts.append(found)
        else:
            in_memory.append(found)
    targets = sorted([m.target for m in mounts] + [t.target for t in in_memory])
    for one, other in itertools.pairwise(targets):
        if one == other:
            raise InvalidField(config.path("volumes"), expected="each target path once", found=one)
    return tuple(sorted(mounts)), tuple(sorted(in_memory))


def _short(config: Fields, raw: Any, at: str) -> Mount:
    parts = check_text(raw, at, expected=_SHORT_EXPECTED).split(":")
    if len(parts) == 1:
        raise InvalidField(
            at,
            expected=_SHORT_EXPECTED,
            found=raw,
            remedy="name the volume, so that its data is kept",
        )
    options = set(parts[2].split(",")) if len(parts) == 3 else set()
    known = {"ro", "rw", "nocopy", *_PROPAGATIONS, *_WITHOUT_MEANING, *_RELABEL}
    propagation = sorted(options & set(_PROPAGATIONS))
    if len(parts) > 3 or not options <= known or len(propagation) > 1 or {"ro", "rw"} <= options:
        raise InvalidField(at, expected=_SHORT_EXPECTED, found=raw)
    if options & set(_RELABEL):
        config.warn(at, "labels of the host's files are not changed, z is ignored")
    return _mount(
        parts[0],
        parts[1],
        at,
        read_only="ro" in options,
        no_copy="nocopy" in options,
        propagation=propagation[0] if propagation else "",
    )


def _long(fields: Fields) -> Mount | Tmpfs:
    kind = fields.choice("type", _Kind, default=_Kind.VOLUME)
    target = fields.text("target")
    read_only = fields.boolean("read_only", default=False)
    fields.raw("consistency")
    if kind is _Kind.TMPFS:
        found: Mount | Tmpfs = _long_tmpfs(fields, target, read_only=read_only)
    else:
        expected = "a source; name the volume, so that its data is kept"
        found = _mount(
            fields.text("source", expected=expected),
            target,
            fields.at,
            read_only=read_only,
            no_copy=_no_copy(fields) if kind is _Kind.VOLUME else False,
            propagation=_propagation(fields) if kind is _Kind.BIND else "",
        )
        if str(found.kind) != str(kind):
            raise InvalidField(
                fields.path("source"), expected=f"a source for {kind}", found=found.source
            )
    fields.warn_unknown()
    return found


def _no_copy(fields: Fields) -> bool:
    options = fields.child("volume")
    no_copy = options.boolean("nocopy", default=False)
    if unset(options, "subpath") is not None:
        # To mount the whole instead would show the service what it is not meant to see.
        raise InvalidField(
            options.path("subpath"),
            expected="a whole volume",
            found="a part of one",
            remedy="use a volume of its own",
        )
    options.warn_unknown()
    return no_copy


def _propagation(fields: Fields) -> str:
    options = fields.child("bind")
    propagation = options.optional_text("propagation") or ""
    if propagation and propagation not in _PROPAGATIONS:
        raise InvalidField(
            options.path("propagation"),
            expected=f"one of {', '.join(_PROPAGATIONS)}",
            found=propagation,
        )
    if options.boolean("create_host_path", default=False):
        options.ignore("create_host_path", "nothing is made on the host")
    options.ignore("selinux", "labels of the host's files are not changed")
    options.warn_unknown()
    return propagation


def _mount(
    source: str, target: str, at: str, *, read_only: bool, no_copy: bool, propagation: str
) -> Mount:
    kind = MountKind.VOLUME
    if source.startswith("/"):
        kind, source = MountKind.BIND, absolute(source, at)
    elif not OBJECT_NAME.fullmatch(source):
        raise InvalidField(at, expected="a volume name or an absolute path", found=source)
    if (kind is MountKind.VOLUME and propagation) or (kind is MountKind.BIND and no_copy):
        raise InvalidField(
            at,
            expected="nocopy for a volume only, propagation for a path of the host only",
            found=propagation or "nocopy",
        )
    return Mount(
        target=absolute(target, at),
        source=source,
        kind=kind,
        read_only=read_only,
        no_copy=no_copy,
        propagation="" if propagation == _DEFAULT_PROPAGATION else propagation,
    )


def _short_tmpfs(raw: Any, at: str) -> Tmpfs:
    text = check_text(raw, at, expected="/path[:OPTIONS]")
    target, _, options = text.partition(":")
    return Tmpfs(target=absolute(target, at), options=_options(options.split(","), at))


def _options(options: list[str], at: str) -> str:
    return ",".join(sorted({_option(option, at) for option in options if option}))


def _option(raw: str, at: str) -> str:
    expected = "options such as size=64m,mode=1777"
    name, _, value = check_text(raw, at, pattern=_TMPFS_OPTION, expected=expected).partition("=")
    if name == "size" and not value.endswith("%"):
        return f"size={bytes_of(value, at)}"
    if name == "mode":
        return f"mode={octal(value, at):o}"
    return raw


def _long_tmpfs(fields: Fields, target: str, *, read_only: bool) -> Tmpfs:
    settings = fields.child("tmpfs")
    options = ["ro"] if read_only else []
    if (size := unset(settings, "size")) is not None and bytes_of(size, settings.path("size")):
        options.append(f"size={bytes_of(size, settings.path('size'))}")
    if (mode := unset(settings, "mode")) is not None:
        options.append(f"mode={octal(mode, settings.path('mode')):o}")
    settings.warn_unknown()
    if fields.raw("source"):
        raise InvalidField(fields.path("source"), expected="nothing for tmpfs", found="a value")
    return Tmpfs(target=absolute(target, fields.at), options=_options(options, fields.at))


def octal(raw: Any, at: str) -> int:
    """Permissions: a text is octal ("0440"), a number is taken as it is (YAML's 0440 is 288)."""
    if isinstance(raw, str) and _OCTAL.fullmatch(raw):
        return int(raw.lstrip("0o") or "0", 8)
    if isinstance(raw, str):
        raise InvalidField(at, expected='permissions such as "0440"', found=raw)
    return whole(raw, at, high=_MODE_MAX)
