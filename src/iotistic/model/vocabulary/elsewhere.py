"""Fields of compose that have no place on a device, with the reason and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields

REFUSED: Mapping[str, tuple[str, str]] = {
    "build": ("a device builds no images", "build and push it, and write its reference as image"),
    "configs": ("a device has no such files", "use secrets, or a volume"),
    "env_file": ("a device has no such file", "write its variables under environment"),
    "extends": ("a device has no such file", "write the whole service"),
    "external_links": ("links are not made", "join a network of the other app as external"),
    "label_file": ("a device has no such file", "write its labels under labels"),
    "links": (
        "services of an app find each other by name",
        "use networks with aliases, and depends_on",
    ),
    "profiles": ("a device runs all services of its target", "leave out what is not to run"),
    "volumes_from": ("mounts are not taken over", "name the same volumes in both services"),
}
"""Refused: without it a service would be another one than was meant."""

IGNORED: Mapping[str, str] = {
    "attach": "a device has no terminal to attach to",
    "blkio_config": "not applied by this version",
    "container_name": "names of containers are the agent's",
    "credential_spec": "not applied by this version",
    "develop": "means nothing on a device",
    "livenessProbe": "not applied by this version, use healthcheck",
    "post_start": "not applied by this version",
    "pre_stop": "not applied by this version",
    "readinessProbe": "not applied by this version, use healthcheck",
    "startupProbe": "not applied by this version, use healthcheck",
    "use_api_socket": "the engine is not handed to services",
}
"""A warning, or refused in a strict target."""

WITHOUT_MEANING = ("expose",)
"""Read without a word: services of one network reach every port of each other."""


def set_aside(config: Fields) -> None:
    """Refuse, warn of or pass over what is not applied. Raises InvalidField."""
    for name, (reason, remedy) in REFUSED.items():
        # An empty one says nothing.
        if config.raw(name):
            raise InvalidField(
                config.path(name), expected=f"nothing, {reason}", found="a value", remedy=remedy
            )
    scale = config.raw("scale")
    if scale not in (None, 1, "1"):
        raise InvalidField(
            config.path("scale"),
            expected="1, since a device runs a service once",
            found=scale,
            remedy="write one service for each instance",
        )
    for name, reason in IGNORED.items():
        config.ignore(name, reason)
    for name in WITHOUT_MEANING:
        config.raw(name)
