"""The target state: what the cloud wants of this device, versioned.

`parse_target` takes the body `{apps, config, version, target_epoch, strict}` (apps as a map by id,
or as a list), and either gives a `TargetState` or raises `InvalidField` with the path to the field.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.reader import Fields, check_integer, join, read_each
from iotistic.model.release import LockMode, Strategy, StrategyKind, Verify
from iotistic.model.runtime_folder import CONTROL_TARGET
from iotistic.model.secret import Secret
from iotistic.model.service import Dependency, PullPolicy, ServiceSpec
from iotistic.model.vocabulary import app_parts, order, process, secrets
from iotistic.model.vocabulary.service import parse_service_config
from iotistic.model.words import RunState

APPS_MAX = 200
SERVICES_MAX = 1000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,62}")
SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAME_EXPECTED = "a name of letters, digits, '_', '.' and '-', at most 63 long"

ServiceId = int | str
"""A number or a string, kept and echoed in the type it came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTarget:
    """One service as the target wants it. Holding one means it was validated.

    What is not in `spec` may change without a new container.
    """

    service_id: ServiceId
    service_name: str
    state: RunState = RunState.RUNNING
    spec: ServiceSpec
    depends_on: tuple[Dependency, ...] = ()
    pull_policy: PullPolicy = PullPolicy.MISSING
    update_lock: bool = False
    """The service gets a folder in which it can hold updates off."""

    @property
    def key(self) -> str:
        """The id as labels and tables hold it."""
        return str(self.service_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTarget:
    """One app: services that belong together, in the order of their ids.

    `networks` and `volumes` are those the target describes; services may name others, which are
    made with the engine's defaults. `release` is the id the operator gave, if any.
    """

    app_id: int
    app_name: str
    services: tuple[ServiceTarget, ...]
    networks: tuple[NetworkSpec, ...] = ()
    volumes: tuple[VolumeSpec, ...] = ()
    secrets: tuple[tuple[str, Secret], ...] = ()
    release: str | None = None
    strategy: Strategy = field(default_factory=Strategy)
    verify: Verify = field(default_factory=Verify)
    lock: LockMode = LockMode.RESPECT


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """The whole target. `version` None is "no opinion": nothing may be removed because of it."""

    apps: tuple[AppTarget, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    epoch: str | None = None
    warnings: tuple[str, ...] = ()

    def app(self, app_id: int) -> AppTarget | None:
        """The app with this id."""
        return next((app for app in self.apps if app.app_id == app_id), None)


def parse_target(raw: object, *, strict: bool = False) -> TargetState:
    """Read a target as it comes on the wire. Raises InvalidField, never half a target.

    A field that is not known or not applied is a warning; with `strict`, or where the target says
    so of itself, it is refused.
    """
    fields = Fields(raw, "", strict=strict)
    fields.strict = fields.boolean("strict", default=False) or strict
    version = fields.optional_integer("version")
    if version and fields.raw("apps") is None:
        # Half a document must not clear a device: to remove all is said, not left out.
        raise InvalidField("apps", expected="an object by app id ({} for none)", found=None)
    target = TargetState(
        apps=_parse_apps(fields),
        config=dict(fields.mapping("config")),
        version=version,
        epoch=fields.optional_text("target_epoch", length_max=64),
    )
    for known in ("needs_deployment", "last_deployed_at"):
        fields.raw(known)
    fields.warn_unknown()
    return replace(target, warnings=tuple(fields.warnings))


def _parse_apps(fields: Fields) -> tuple[AppTarget, ...]:
    raw = fields.raw("apps")
    at = fields.path("apps")
    if raw is None:
        return ()
    if not isinstance(raw, Mapping | list):
        raise InvalidField(at, expected="an object by app id, or a list", found=raw)
    if len(raw) > APPS_MAX:
        raise InvalidField(at, expected=f"at most {APPS_MAX} apps", found=len(raw))
    entries = list(_entries(raw, at))
    apps = list(
        read_each(
            (path for _, _, path in entries),
            ((key, app) for key, app, _ in entries),
            lambda entry, path: _parse_app(fields.nested(entry[1], path), entry[0]),
        )
    )
    if (count := sum(len(app.services) for app in apps)) > SERVICES_MAX:
        raise InvalidField(at, expected=f"at most {SERVICES_MAX} services", found=count)
    apps.sort(key=lambda app: app.app_id)
    for one, other in itertools.pairwise(apps):
        if one.app_id == other.app_id:
            raise InvalidField(at, expected="each app id once", found=one.app_id)
    return tuple(apps)


def _entries(
    raw: Mapping[str, Any] | Sequence[Any], at: str
) -> Iterator[tuple[str | None, Any, str]]:
    if isinstance(raw, Mapping):
        yield from ((key, app, join(at, str(key))) for key, app in raw.items())
    else:
        yield from ((None, app, f"{at}[{n}]") for n, app in enumerate(raw))


def _parse_app(fields: Fields, key: str | None) -> AppTarget:
    app_id = _app_id(fields, key)
    # An app is explicit about what it has: with the field forgotten all of it would be removed.
    fields.required("services", expected="a list of services, [] for none")
    values = secrets.app_secrets(fields)
    known = frozenset(name for name, _ in values)
    at = fields.path("services")
    services = fields.each(
        "services", lambda item, path: _parse_service(fields.nested(item, path), known)
    )
    _refuse_twice(at, "service id", [service.key for service in services])
    _refuse_twice(at, "service name", [service.service_name for service in services])
    order.check_order([(s.service_name, s.depends_on, s.spec.network_mode) for s in services], at)
    strategy = app_parts.strategy(fields)
    _keep_free(services, strategy, at)
    app = AppTarget(
        app_id=app_id,
        app_name=fields.text("appName", pattern=NAME, expected=_NAME_EXPECTED),
        services=tuple(sorted(services, key=lambda service: service.key)),
        networks=app_parts.networks(fields),
        volumes=app_parts.volumes(fields),
        secrets=values,
        release=app_parts.release(fields),
        strategy=strategy,
        verify=app_parts.verify(fields),
        lock=app_parts.lock(fields),
    )
    fields.raw("appUuid")
    fields.warn_unknown()
    return app


def _keep_free(services: Sequence[ServiceTarget], strategy: Strategy, at: str) -> None:
    """Refuse a mount where a service and the agent speak to each other."""
    for n, service in enumerate(services):
        spec = service.spec
        taken = {mount.target for mount in spec.volumes} | {t.target for t in spec.tmpfs}
        taken |= {use.target for use in spec.secrets}
        speaks = service.update_lock or strategy.kind is StrategyKind.HAND_OVER
        if speaks and CONTROL_TARGET in taken:
            raise InvalidField(
                f"{at}[{n}].config.volumes",
                expected="another path, since this is the folder of update locks and hand-over",
                found=CONTROL_TARGET,
            )


def _app_id(fields: Fields, key: str | None) -> int:
    given = fields.raw("appId")
    at = fields.path("appId")
    if given is None and key is not None:
        given = key
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given)
    app_id = check_integer(given, at, low=1)
    if key is not None and key != str(app_id):
        raise InvalidField(at, expected=f"{key[:40]}, the key it stands under", found=app_id)
    return app_id


def _parse_service(fields: Fields, known_secrets: frozenset[str]) -> ServiceTarget:
    config = fields.child("config")
    spec = parse_service_config(fields, config, known_secrets=known_secrets)
    service = ServiceTarget(
        service_id=_service_id(fields),
        service_name=fields.text("serviceName", pattern=SERVICE_NAME, expected=_NAME_EXPECTED),
        state=fields.choice("state", RunState, default=RunState.RUNNING),
        spec=spec,
        depends_on=order.depends_on(config, spec.network_mode),
        pull_policy=process.pull_policy(config),
        update_lock=config.boolean("update_lock", default=False),
    )
    config.warn_unknown()
    fields.warn_unknown()
    return service


def _service_id(fields: Fields) -> ServiceId:
    given = fields.required("serviceId", expected="a number or a short text")
    if isinstance(given, int) and not isinstance(given, bool):
        return check_integer(given, fields.path("serviceId"), low=0)
    return fields.text("serviceId", pattern=SERVICE_NAME, expected="a number or a short text")


def _refuse_twice(at: str, what: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidField(at, expected=f"each {what} once in an app", found=value)
        seen.add(value)
