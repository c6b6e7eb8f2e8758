"""Short words for what a target says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from iotistic.model.errors import InvalidField
from iotistic.model.service import ServiceSpec
from iotistic.model.target import AppTarget, ServiceTarget, TargetState, parse_target

CONFIG = "apps.1001.services[0].config"


def document(*configs: Mapping[str, Any], **app: Any) -> dict[str, Any]:
    """A target of one app, with one service for each `config`: web, s1, s2 and so on."""
    services = [
        {
            "serviceId": n,
            "serviceName": f"s{n}" if n else "web",
            "imageName": "web:1",
            "config": config,
        }
        for n, config in enumerate(configs)
    ]
    return {"apps": {"1001": {"appId": 1001, "appName": "shop", "services": services, **app}}}


def read(*configs: Mapping[str, Any], **app: Any) -> TargetState:
    """The target as it is understood."""
    return parse_target(document(*configs, **app))


def app_of(*configs: Mapping[str, Any], **app: Any) -> AppTarget:
    """Its app."""
    return read(*configs, **app).apps[0]


def service_of(config: Mapping[str, Any], *others: Mapping[str, Any], **app: Any) -> ServiceTarget:
    """Its service `web`."""
    found = app_of(config, *others, **app).services
    return next(service for service in found if service.service_name == "web")


def spec_of(*, secrets: Mapping[str, Any] | None = None, **config: Any) -> ServiceSpec:
    """What a service with this `config` is."""
    given = {"secrets": config.pop("uses")} if "uses" in config else {}
    return service_of({**config, **given}, **({"secrets": secrets} if secrets else {})).spec


def fault_of(*configs: Mapping[str, Any], strict: bool = False, **app: Any) -> InvalidField:
    """Why the target is refused."""
    with pytest.raises(InvalidField) as caught:
        parse_target(document(*configs, **app), strict=strict)
    return caught.value
