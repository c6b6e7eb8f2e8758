"""From a service of the target to the request that makes its container on this device."""

from __future__ import annotations

from dataclasses import dataclass, replace

from iotistic.model.container import ContainerRequest, HostFolder, Joining
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_APP_NAME,
    LABEL_CONFIG_HASH,
    LABEL_SERVICE_ID,
    LABEL_SERVICE_NAME,
    LABEL_SPEC_FIELDS,
    container_name,
    device_labels,
    object_name,
)
from iotistic.model.release import StrategyKind
from iotistic.model.runtime_folder import CONTROL_TARGET, control_folder, secret_file
from iotistic.model.secret import Secret
from iotistic.model.service import MountKind
from iotistic.model.target import AppTarget, ServiceTarget
from iotistic.planner import normalize


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What of this device goes into names, labels and hashes."""

    uuid: str
    hash_key: bytes
    runtime_dir: str


def container_request(
    app: AppTarget, service: ServiceTarget, site: Site, *, spec_hash: str, fields: str
) -> ContainerRequest:
    """The request; `spec_hash` and `fields` go into the labels by which it is known again."""
    spec = service.spec
    labels = {
        **dict(spec.labels),
        **device_labels(site.uuid),
        LABEL_APP_ID: str(app.app_id),
        LABEL_APP_NAME: app.app_name,
        LABEL_SERVICE_ID: service.key,
        LABEL_SERVICE_NAME: service.service_name,
        LABEL_CONFIG_HASH: spec_hash,
        LABEL_SPEC_FIELDS: fields,
    }
    values = dict(app.secrets)
    return ContainerRequest(
        name=container_name(site.uuid, app.app_name, service.service_name, service.key),
        labels=tuple(sorted(labels.items())),
        spec=spec,
        networks=_joinings(app, service, site),
        network_mode=spec.network_mode,
        volumes=tuple(
            (mount.source, _volume_name(app, mount.source, site))
            for mount in spec.volumes
            if mount.kind is MountKind.VOLUME
        ),
        secret_environment=tuple(
            (use.environment, values.get(use.source, Secret("")))
            for use in spec.secrets
            if use.environment
        ),
        folders=_folders(app, service, site),
    )


def has_control_folder(app: AppTarget, service: ServiceTarget) -> bool:
    """Whether the service gets a folder to speak with the agent in."""
    return service.update_lock or app.strategy.kind is StrategyKind.HAND_OVER


def _joinings(app: AppTarget, service: ServiceTarget, site: Site) -> tuple[Joining, ...]:
    return tuple(
        Joining(
            network=_network_name(app, network.name, site),
            how=replace(network, aliases=tuple(sorted({service.service_name, *network.aliases}))),
        )
        for network in normalize.attachments(service.spec)
    )


def _network_name(app: AppTarget, short_name: str, site: Site) -> str:
    given = next((n.name for n in app.networks if n.short_name == short_name), "")
    return given or object_name(site.uuid, app.app_id, short_name)


def _volume_name(app: AppTarget, short_name: str, site: Site) -> str:
    given = next((v.name for v in app.volumes if v.short_name == short_name), "")
    return given or object_name(site.uuid, app.app_id, short_name)


def _folders(app: AppTarget, service: ServiceTarget, site: Site) -> tuple[HostFolder, ...]:
    values = dict(app.secrets)
    folders = [
        HostFolder(
            source=secret_file(site.runtime_dir, site.uuid, app.app_id, service.key, use.source),
            target=use.target,
            read_only=True,
            content=values.get(use.source, Secret("")),
            uid=use.uid,
            gid=use.gid,
            mode=use.mode,
        )
        for use in service.spec.secrets
        if not use.environment
    ]
    if has_control_folder(app, service):
        source = control_folder(site.runtime_dir, site.uuid, app.app_id, service.key)
        folders.append(HostFolder(source=source, target=CONTROL_TARGET, read_only=False))
    return tuple(folders)
