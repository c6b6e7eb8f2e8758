"""The target worked out once for this device: names, labels, hashes; what is not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.model.canonical import keyed_hex
from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.errors import IotisticError
from iotistic.model.naming import LABEL_CONFIG_HASH, object_labels, object_name
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.release import LockMode, Strategy, Verify
from iotistic.model.service import Dependency, MountKind
from iotistic.model.target import AppTarget, ServiceTarget, TargetState
from iotistic.planner import normalize
from iotistic.planner.making import Site, container_request
from iotistic.planner.policy import Policy, check_app

_RELEASE_DIGITS = 12
_SERVICE = "service:"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedNetwork:
    """A network that a service of the app uses. `request` None: others are to make it."""

    short_name: str
    name: str
    spec_hash: str
    request: NetworkRequest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedVolume:
    """A volume that a service of the app uses. `request` None: others are to make it."""

    short_name: str
    name: str
    spec_hash: str
    request: VolumeRequest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedService:
    """A service with everything that making its container needs.

    `key` is its id as labels hold it, `image` the canonical reference. `networks` and `volumes`
    are short names. `depends_on` has the service whose network it shares as well.
    """

    app_id: int
    key: str
    name: str
    image: str
    target: ServiceTarget
    spec_hash: str
    form: Mapping[str, Any]
    request: ContainerRequest
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    depends_on: tuple[Dependency, ...] = ()

    @property
    def shares_network_of(self) -> str | None:
        """The service whose network it lives in."""
        mode = self.target.spec.network_mode or ""
        return mode.removeprefix(_SERVICE) if mode.startswith(_SERVICE) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedApp:
    """An app with its parts; `rejection` says why it is not allowed here.

    `release` is the name to show. `release_hash` tells releases apart: of all that makes
    containers, networks and volumes what they are, and of nothing else.
    """

    app_id: int
    app_name: str
    services: tuple[WantedService, ...]
    networks: tuple[WantedNetwork, ...]
    volumes: tuple[WantedVolume, ...]
    rejection: IotisticError | None = None
    release: str = ""
    release_hash: str = ""
    release_given: bool = False
    strategy: Strategy = field(default_factory=Strategy)
    verify: Verify = field(default_factory=Verify)
    lock: LockMode = LockMode.RESPECT

    def service(self, name: str) -> WantedService | None:
        """The service of that name."""
        return next((s for s in self.services if s.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The whole target as the planner uses it. `may_remove`: it is explicit about what goes.

    `good` are the apps as they were in the release that was well last, by app id.
    """

    apps: tuple[WantedApp, ...] = ()
    may_remove: bool = False
    good: Mapping[int, WantedApp] = field(default_factory=dict)


NOTHING_WANTED = Wanted()
"""No target was ever set: an opinion about nothing."""


def work_out(
    target: TargetState | None,
    *,
    uuid: str,
    hash_key: bytes,
    policy: Policy,
    runtime_dir: str = "/run/iotistic",
    good: Iterable[AppTarget] = (),
) -> Wanted:
    """Work a target out for the device `uuid`. Pure, and the only costly part: once a target."""
    if target is None:
        return NOTHING_WANTED
    site = Site(uuid=uuid, hash_key=hash_key, runtime_dir=runtime_dir)
    return Wanted(
        apps=tuple(work_out_app(app, site, policy) for app in target.apps),
        may_remove=target.version is not None and target.version >= 1,
        good={app.app_id: work_out_app(app, site, policy) for app in good},
    )


def work_out_app(app: AppTarget, site: Site, policy: Policy) -> WantedApp:
    """One app, worked out."""
    services = tuple(_service(app, service, site) for service in app.services)
    networks = tuple(
        _network(app, name, site) for name in sorted({n for s in services for n in s.networks})
    )
    volumes = tuple(
        _volume(app, name, site) for name in sorted({v for s in services for v in s.volumes})
    )
    release_hash = keyed_hex(
        site.hash_key,
        {
            "services": {s.key: [s.name, s.spec_hash] for s in services},
            "networks": {n.short_name: n.spec_hash for n in networks},
            "volumes": {v.short_name: v.spec_hash for v in volumes},
            "release": app.release,
        },
    )[: 2 * _RELEASE_DIGITS]
    return WantedApp(
        app_id=app.app_id,
        app_name=app.app_name,
        services=services,
        networks=networks,
        volumes=volumes,
        rejection=_rejection(app, policy),
        release=app.release or release_hash[:_RELEASE_DIGITS],
        release_hash=release_hash,
        release_given=app.release is not None,
        strategy=app.strategy,
        verify=app.verify,
        lock=app.lock,
    )


def _rejection(app: AppTarget, policy: Policy) -> IotisticError | None:
    try:
        check_app(app, policy, at=f"apps.{app.app_id}")
    except IotisticError as error:
        return error
    return None


def _service(app: AppTarget, service: ServiceTarget, site: Site) -> WantedService:
    spec = service.spec
    form = normalize.normal_form(
        spec,
        service_name=service.service_name,
        key=site.hash_key,
        secrets=dict(app.secrets),
    )
    spec_hash = normalize.hash_of(form, site.hash_key)
    attached = normalize.attachments(spec)
    depends_on = service.depends_on
    return WantedService(
        app_id=app.app_id,
        key=service.key,
        name=service.service_name,
        image=spec.image.canonical,
        target=service,
        spec_hash=spec_hash,
        form=form,
        networks=tuple(network.name for network in attached),
        volumes=tuple(m.source for m in spec.volumes if m.kind is MountKind.VOLUME),
        request=container_request(
            app, service, site, spec_hash=spec_hash, fields=normalize.fields_of(form)
        ),
        depends_on=depends_on,
    )


def _network(app: AppTarget, short_name: str, site: Site) -> WantedNetwork:
    spec = next((n for n in app.networks if n.short_name == short_name), None)
    spec = spec or NetworkSpec(short_name=short_name)
    name = spec.name or object_name(site.uuid, app.app_id, short_name)
    spec_hash = normalize.object_hash(normalize.network_form(spec))
    labels = {
        **dict(spec.labels),
        **object_labels(site.uuid, app.app_id, short_name),
        LABEL_CONFIG_HASH: spec_hash,
    }
    request = NetworkRequest(name=name, labels=tuple(sorted(labels.items())), spec=spec)
    return WantedNetwork(
        short_name=short_name,
        name=name,
        spec_hash=spec_hash,
        request=None if spec.external else request,
    )


def _volume(app: AppTarget, short_name: str, site: Site) -> WantedVolume:
    spec = next((v for v in app.volumes if v.short_name == short_name), None)
    spec = spec or VolumeSpec(short_name=short_name)
    name = spec.name or object_name(site.uuid, app.app_id, short_name)
    spec_hash = normalize.object_hash(normalize.volume_form(spec))
    labels = {
        **dict(spec.labels),
        **object_labels(site.uuid, app.app_id, short_name),
        LABEL_CONFIG_HASH: spec_hash,
    }
    request = VolumeRequest(name=name, labels=tuple(sorted(labels.items())), spec=spec)
    return WantedVolume(
        short_name=short_name,
        name=name,
        spec_hash=spec_hash,
        request=None if spec.external else request,
    )
