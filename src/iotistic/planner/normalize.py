"""A service as hashes and labels see it: one normal form, field by field.

The normal form is made of the *target* alone, never of what an engine filled in, so a newer
engine or image cannot make a service look changed. Values of the environment enter only as keyed
hashes: the form stands in labels, which everybody on the host can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from iotistic.model.canonical import canonical_json, keyed_hex, sha256_hex
from iotistic.model.naming import DEFAULT_NETWORK
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.service import NetworkAttachment, ServiceSpec
from iotistic.planner.step import Difference

HASH_VERSION = 1
_HASH_DIGITS = 32
_FIELD_DIGITS = 8
_ENVIRONMENT = "environment."


def attachments(spec: ServiceSpec) -> tuple[NetworkAttachment, ...]:
    """The networks a service joins: its own, or the app's default one, or none with a mode."""
    if spec.network_mode is not None:
        return ()
    return spec.networks or (NetworkAttachment(name=DEFAULT_NETWORK),)


def normal_form(spec: ServiceSpec, *, service_name: str, key: bytes) -> dict[str, Any]:
    """Every field that is set, by name, as JSON values. Absent fields are absent.

    `service_name` is part of it because the service answers to it on its networks. `key` is the
    device's own (32 bytes).
    """
    form: dict[str, Any] = {
        "image": spec.image.canonical,
        "command": _words(spec.command),
        "entrypoint": _words(spec.entrypoint),
        "labels": dict(spec.labels) or None,
        "ports": [[p.host_ip, p.host, p.container, p.protocol] for p in spec.ports] or None,
        "volumes": [[m.kind, m.source, m.target, m.read_only] for m in spec.volumes] or None,
        "networks": [[n.name, *n.aliases] for n in attachments(spec)] or None,
        "network_mode": spec.network_mode,
        "restart": f"{spec.restart.name}:{spec.restart.retries_max}",
        "working_dir": spec.working_dir,
        "user": spec.user,
        "hostname": spec.hostname,
        "service_name": service_name,
    }
    for name, value in spec.environment:
        form[_ENVIRONMENT + name] = keyed_hex(key, [name, value.reveal()])
    return {name: value for name, value in form.items() if value is not None}


def _words(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def hash_version(label: str) -> int | None:
    """The version of the normal form that a hash on a label was made with; None: unreadable."""
    version, found, _ = label.partition(":")
    return int(version) if found and version.isascii() and version.isdecimal() else None


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


def hash_of(form: Mapping[str, Any], key: bytes) -> str:
    """`VERSION:HEX`, the label by which a container is known to be made for this very form."""
    return f"{HASH_VERSION}:{keyed_hex(key, form)[:_HASH_DIGITS]}"


def fields_of(form: Mapping[str, Any]) -> str:
    """The label that lets a later round say *which* field differs: a short hash for each."""
    return canonical_json(_short_hashes(form)).decode()


def _short_hashes(form: Mapping[str, Any]) -> dict[str, str]:
    # What is secret in the form is a keyed hash there already.
    return {
        name: (value if name.startswith(_ENVIRONMENT) else sha256_hex(value))[:_FIELD_DIGITS]
        for name, value in form.items()
    }


def differences(form: Mapping[str, Any], found_fields: str | None) -> tuple[Difference, ...]:
    """Which fields a container with the label `found_fields` was made differently in.

    Empty when the label is missing or unreadable: then only the hash says that something differs.
    """
    found = _read_fields(found_fields)
    if found is None:
        return ()
    wanted = _short_hashes(form)
    return tuple(
        Difference(
            field=name,
            wanted=_shown(name, form[name]) if name in form else "nothing",
            found="another value" if name in found else "nothing",
        )
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    )


def _read_fields(text: str | None) -> dict[str, str] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return None


def _shown(name: str, value: object) -> str:
    if name.startswith(_ENVIRONMENT):
        return "***"
    return value if isinstance(value, str) else canonical_json(value).decode()


DEFAULT_OBJECT_HASH = object_hash({})
"""Of an object with the engine's defaults, as an older agent made it, without a label."""
