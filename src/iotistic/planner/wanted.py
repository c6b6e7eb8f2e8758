"""The target worked out once for this device: names, labels, hashes; what is not allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from iotistic.model.container import ContainerRequest, Joining
from iotistic.model.errors import IotisticError
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_APP_NAME,
    LABEL_CONFIG_HASH,
    LABEL_SERVICE_ID,
    LABEL_SERVICE_NAME,
    LABEL_SPEC_FIELDS,
    container_name,
    device_labels,
    object_labels,
    object_name,
)
from iotistic.model.service import MountKind
from iotistic.model.target import AppTarget, ServiceTarget, TargetState
from iotistic.planner import normalize
from iotistic.planner.policy import Policy, check


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedObject:
    """A network or volume that a service of the app uses."""

    short_name: str
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedService:
    """A service with everything that making its container needs."""

    app_id: int
    target: ServiceTarget
    spec_hash: str
    form: Mapping[str, Any]
    request: ContainerRequest
    networks: tuple[str, ...]
    volumes: tuple[str, ...]

    @property
    def key(self) -> str:
        """The service id as labels hold it."""
        return self.target.key

    @property
    def name(self) -> str:
        """The service's name."""
        return self.target.service_name

    @property
    def image(self) -> str:
        """The canonical reference of its image."""
        return self.target.spec.image.canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedApp:
    """An app with its parts; `rejection` says why it is not allowed here."""

    app_id: int
    app_name: str
    services: tuple[WantedService, ...]
    networks: tuple[WantedObject, ...]
    volumes: tuple[WantedObject, ...]
    rejection: IotisticError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The whole target as the planner uses it. `may_remove`: it is explicit about what goes."""

    apps: tuple[WantedApp, ...] = ()
    may_remove: bool = False


NOTHING_WANTED = Wanted()
"""No target was ever set: an opinion about nothing."""


def work_out(target: TargetState | None, *, uuid: str, hash_key: bytes, policy: Policy) -> Wanted:
    """Work a target out for the device `uuid`. Pure, and the only costly part: once a target."""
    if target is None:
        return NOTHING_WANTED
    return Wanted(
        apps=tuple(_app(app, uuid, hash_key, policy) for app in target.apps),
        may_remove=target.version is not None and target.version >= 1,
    )


def _app(app: AppTarget, uuid: str, hash_key: bytes, policy: Policy) -> WantedApp:
    services = tuple(_service(app, service, uuid, hash_key) for service in app.services)
    networks = sorted({name for service in services for name in service.networks})
    volumes = sorted({name for service in services for name in service.volumes})
    return WantedApp(
        app_id=app.app_id,
        app_name=app.app_name,
        services=services,
        networks=tuple(_object(uuid, app.app_id, name) for name in networks),
        volumes=tuple(_object(uuid, app.app_id, name) for name in volumes),
        rejection=_rejection(app, policy),
    )


def _rejection(app: AppTarget, policy: Policy) -> IotisticError | None:
    for service in app.services:
        try:
            check(service.spec, policy, at=f"apps.{app.app_id}.{service.service_name}")
        except IotisticError as error:
            return error
    return None


def _object(uuid: str, app_id: int, short_name: str) -> WantedObject:
    return WantedObject(
        short_name=short_name,
        name=object_name(uuid, app_id, short_name),
        labels=tuple(sorted(object_labels(uuid, app_id, short_name).items())),
    )


def _service(app: AppTarget, service: ServiceTarget, uuid: str, hash_key: bytes) -> WantedService:
    spec = service.spec
    form = normalize.normal_form(spec, service_name=service.service_name, key=hash_key)
    spec_hash = normalize.hash_of(form, hash_key)
    labels = {
        **dict(spec.labels),
        **device_labels(uuid),
        LABEL_APP_ID: str(app.app_id),
        LABEL_APP_NAME: app.app_name,
        LABEL_SERVICE_ID: service.key,
        LABEL_SERVICE_NAME: service.service_name,
        LABEL_CONFIG_HASH: spec_hash,
        LABEL_SPEC_FIELDS: normalize.fields_of(form),
    }
    attached = normalize.attachments(spec)
    volumes = tuple(m.source for m in spec.volumes if m.kind is MountKind.VOLUME)
    return WantedService(
        app_id=app.app_id,
        target=service,
        spec_hash=spec_hash,
        form=form,
        networks=tuple(network.name for network in attached),
        volumes=volumes,
        request=ContainerRequest(
            name=container_name(uuid, app.app_name, service.service_name, service.key),
            labels=tuple(sorted(labels.items())),
            spec=spec,
            networks=tuple(
                Joining(
                    network=object_name(uuid, app.app_id, network.name),
                    how=replace(
                        network, aliases=tuple(sorted({service.service_name, *network.aliases}))
                    ),
                )
                for network in attached
            ),
            network_mode=spec.network_mode,
            volumes=tuple((name, object_name(uuid, app.app_id, name)) for name in volumes),
        ),
    )
