"""A service, network or volume as hashes and labels see it: one normal form, field by field.

The normal form is made of the *target* alone, never of what an engine filled in, so a newer
engine or image cannot make a service look changed. Secret values (of the environment and of
secrets) enter only as keyed hashes: the form stands in labels, which everybody on the host can
read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from iotistic.model.canonical import canonical_json, keyed_hex, sha256_hex
from iotistic.model.errors import MASK
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import SecretUse, ServiceSpec
from iotistic.planner.fields import FIELDS
from iotistic.planner.world import Difference

HASH_VERSION = 1
_HASH_DIGITS = 32
_FIELD_DIGITS = 8
ENVIRONMENT_PREFIX = "environment."
SECRETS_PREFIX = "secrets."
_KEYED = (ENVIRONMENT_PREFIX, SECRETS_PREFIX)
_SHOWN_LENGTH_MAX = 200
# Its options may hold the token of a log service.
_WITH_TOKENS = "logging"


def normal_form(
    spec: ServiceSpec,
    *,
    service_name: str,
    key: bytes,
    secrets: Mapping[str, Secret] | None = None,
) -> dict[str, Any]:
    """Every field that is set, by name, as JSON values. Absent fields are absent.

    `service_name` is part of it because the service answers to it on its networks. `key` is the
    device's own (32 bytes). `secrets` are those of the app: a new value makes a new form.
    """
    form: dict[str, Any] = {field.name: field.form(spec) for field in FIELDS}
    form["service_name"] = service_name
    for name, value in spec.environment:
        form[ENVIRONMENT_PREFIX + name] = keyed_hex(key, [name, value.reveal()])
    for name, uses in _by_secret(spec).items():
        held = (secrets or {}).get(name)
        form[SECRETS_PREFIX + name] = keyed_hex(
            key, [name, None if held is None else held.reveal(), uses]
        )
    return {name: value for name, value in form.items() if value is not None}


def _by_secret(spec: ServiceSpec) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = defaultdict(list)
    for use in spec.secrets:
        found[use.source].append(_use(use))
    return found


def _use(use: SecretUse) -> list[Any]:
    return [use.target, use.environment, use.uid, use.gid, use.mode]


def hash_of(form: Mapping[str, Any], key: bytes) -> str:
    """`VERSION:HEX`, the label by which a container is known to be made for this very form."""
    return f"{HASH_VERSION}:{keyed_hex(key, form)[:_HASH_DIGITS]}"


def hash_version(label: str) -> int | None:
    """The version of the normal form that a hash on a label was made with; None: unreadable."""
    version, found, _ = label.partition(":")
    readable = found and version.isascii() and version.isdecimal() and len(version) <= 9
    return int(version) if readable else None


def fields_of(form: Mapping[str, Any]) -> str:
    """The label that lets a later round say *which* field differs: a short hash for each."""
    return canonical_json(short_hashes(form)).decode()


def short_hashes(form: Mapping[str, Any]) -> dict[str, str]:
    """A few digits for each field, enough to tell that it changed and not what it is."""
    # What is secret in the form is a keyed hash there already.
    return {
        name: (value if name.startswith(_KEYED) else sha256_hex(value))[:_FIELD_DIGITS]
        for name, value in form.items()
    }


def differences(form: Mapping[str, Any], found_fields: str | None) -> tuple[Difference, ...]:
    """Which fields a container with the label `found_fields` was made differently in.

    Empty when the label is missing or unreadable: then only the hash says that something differs.
    """
    found = _read_fields(found_fields)
    if found is None:
        return ()
    wanted = short_hashes(form)
    names = [name for name, made in wanted.items() if found.get(name) != made]
    names += found.keys() - wanted.keys()
    return tuple(
        Difference(
            field=name,
            wanted=shown(name, form[name]) if name in form else "nothing",
            found="another value" if name in found else "nothing",
        )
        for name in sorted(names)
    )


def _read_fields(text: str | None) -> dict[str, str] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return None


def shown(name: str, value: object) -> str:
    """A value of the field `name` as a person may see it: short, and masked if it is a secret."""
    if name.startswith(_KEYED):
        return MASK
    if value is None:
        return "nothing"
    if name == _WITH_TOKENS and isinstance(value, list):
        driver, options = value
        value = [driver, dict.fromkeys(options, MASK)]
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[: _SHOWN_LENGTH_MAX - 1]}…"


def network_form(spec: NetworkSpec) -> dict[str, Any]:
    """What makes a network what it is, as JSON values. Defaults are absent."""
    return _without_defaults(
        {
            "driver": spec.driver if spec.driver != "bridge" else "",
            "driver_opts": dict(spec.driver_opts),
            "internal": spec.internal,
            "enable_ipv6": spec.enable_ipv6,
            "attachable": spec.attachable,
            "labels": dict(spec.labels),
            "ipam_driver": spec.ipam_driver if spec.ipam_driver != "default" else "",
            "ipam_options": dict(spec.ipam_options),
            "ipam_pools": [
                [p.subnet, p.gateway, p.ip_range, dict(p.aux_addresses)] for p in spec.ipam_pools
            ],
        }
    )


def volume_form(spec: VolumeSpec) -> dict[str, Any]:
    """What makes a volume what it is, as JSON values. Defaults are absent."""
    return _without_defaults(
        {
            "driver": spec.driver if spec.driver != "local" else "",
            "driver_opts": dict(spec.driver_opts),
            "labels": dict(spec.labels),
        }
    )


def _without_defaults(form: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in form.items() if value}


def object_hash(form: Mapping[str, Any]) -> str:
    """`VERSION:HEX` for the label of a network or volume, which holds no secrets."""
    return f"{HASH_VERSION}:{sha256_hex(form)[:_HASH_DIGITS]}"


DEFAULT_OBJECT_HASH = object_hash({})
"""Of an object with the engine's defaults, as an older agent made it, without a label."""
