"""Secrets of an app, and how its services get them. No value ever stands in a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text, join
from iotistic.model.secret import Secret
from iotistic.model.service import Mount, SecretUse, Tmpfs
from iotistic.model.vocabulary.entries import absolute, object_name, unset
from iotistic.model.vocabulary.quantities import whole
from iotistic.model.vocabulary.storage import octal

SECRETS_MAX = 200
VALUE_LENGTH_MAX = 256 * 1024
FOLDER = "/run/secrets"
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_OWNER_MAX = 2**32 - 2
_MODE_MAX = 0o777


def app_secrets(app: Fields) -> tuple[tuple[str, Secret], ...]:
    """`secrets` of an app: `{NAME: {value}}`, sorted by name."""
    at = app.path("secrets")
    raw = app.raw("secrets")
    if raw is None:
        return ()
    if not isinstance(raw, Mapping):
        raise InvalidField(at, expected="an object by name", found=raw, secret=True)
    if len(raw) > SECRETS_MAX:
        raise InvalidField(at, expected=f"at most {SECRETS_MAX} secrets", found=len(raw))
    return tuple(sorted(((name, _value(app, name, value, at)) for name, value in raw.items()),
                        key=lambda item: item[0]))  # fmt: skip


def _value(app: Fields, name: Any, raw: Any, at: str) -> Secret:
    path = join(at, object_name(name, at))
    if not isinstance(raw, Mapping):
        raise InvalidField(path, expected="an object {value: …}", found=raw, secret=True)
    fields = app.nested(raw, path)
    for source in ("file", "environment", "external"):
        if fields.raw(source):
            raise InvalidField(
                fields.path(source),
                expected="the value itself, under value",
                found=f"a {source} to take it from",
                remedy="a device has no such place; save the target with the value",
            )
    value = fields.text("value", length_max=VALUE_LENGTH_MAX, secret=True)
    fields.raw("name")
    fields.warn_unknown()
    return Secret(value)


def uses(config: Fields) -> tuple[SecretUse, ...]:
    """`secrets` of a service, sorted; each as a file once, and as each variable once."""
    at = config.path("secrets")
    found = [
        _use(config, raw, f"{at}[{n}]")
        for n, raw in enumerate(config.items("secrets", high=SECRETS_MAX))
    ]
    for what, values in (
        ("secret as a file", [use.source for use in found if not use.environment]),
        ("path of a file", [use.target for use in found if not use.environment]),
        ("variable", [use.environment for use in found if use.environment]),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InvalidField(at, expected=f"each {what} once", found=twice)
    return tuple(sorted(found))


def _use(config: Fields, raw: Any, at: str) -> SecretUse:
    if not isinstance(raw, Mapping):
        name = object_name(raw, at)
        return SecretUse(source=name, target=f"{FOLDER}/{name}")
    fields = config.nested(raw, at)
    source = object_name(fields.required("source", expected="the name of a secret"), at)
    environment = fields.optional_text("environment")
    if environment:
        check_text(
            environment, fields.path("environment"), pattern=_ENV_NAME, expected="a variable name"
        )
        for name in ("target", "uid", "gid", "mode"):
            if fields.raw(name) is not None:
                raise InvalidField(
                    fields.path(name), expected="nothing beside environment", found="a value"
                )
        use = SecretUse(source=source, environment=environment)
    else:
        use = SecretUse(
            source=source,
            target=_target(fields, source),
            uid=_owner(fields, "uid"),
            gid=_owner(fields, "gid"),
            mode=_mode(fields),
        )
    fields.warn_unknown()
    return use


def _target(fields: Fields, source: str) -> str:
    raw = fields.optional_text("target") or source
    return absolute(raw if raw.startswith("/") else f"{FOLDER}/{raw}", fields.path("target"))


def _owner(fields: Fields, name: str) -> int:
    raw = unset(fields, name)
    return 0 if raw is None else whole(raw, fields.path(name), high=_OWNER_MAX)


def _mode(fields: Fields) -> int:
    raw = unset(fields, "mode")
    if raw is None:
        return 0o444
    mode = octal(raw, fields.path("mode"))
    if mode > _MODE_MAX:
        raise InvalidField(fields.path("mode"), expected='at most "0777"', found=raw)
    return mode


def check_uses(
    config: Fields,
    found: tuple[SecretUse, ...],
    *,
    known: frozenset[str],
    variables: frozenset[str],
    mounts: tuple[Mount | Tmpfs, ...],
) -> None:
    """Refuse a secret that the app does not have, and one that would hide something else."""
    taken = {mount.target for mount in mounts}
    for use in found:
        at = config.path("secrets")
        if use.source not in known:
            raise InvalidField(
                at,
                expected="names of secrets of the app",
                found=use.source,
                remedy="add it to secrets of the app",
            )
        if use.environment in variables:
            raise InvalidField(
                at, expected="variables that environment does not set", found=use.environment
            )
        if use.target in taken:
            raise InvalidField(
                at, expected="a path where nothing else is mounted", found=use.target
            )
