"""From a compose document to an app of a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.compose.places import Places
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, join, read_each
from iotistic.model.target import AppTarget, ServiceId, parse_target
from iotistic.model.vocabulary import elsewhere

OURS = "x-iotistic"
"""The extension field that holds what compose has no word for, in the document and in services."""
OF_AN_APP = ("release", "strategy", "verify", "lock")
OF_A_SERVICE = ("update_lock",)
APP_ID_DEFAULT = 1001

_REFUSED = {
    "configs": ("a device has no such files", "use secrets: they are files too, of any path"),
    "include": ("one file is read", "write all services into it"),
    "models": ("a device runs services only", "write a service for it"),
}
_NOT_RESOLVED = ("env_file", "label_file")
_OBJECTS = ("networks", "volumes", "secrets")
# Where the specification allows extension fields below a service; elsewhere a name that begins
# with x- is somebody's own (a label, a variable).
_EXTENDED = ("deploy", "healthcheck", "logging", "networks", "ulimits", "depends_on", "secrets")


class NotOnADevice(InvalidField):
    """A field that compose knows and a device does not: it is refused, with the reason."""

    code = "not-on-a-device"


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCompose:
    """An app as the wire has it, the same read, and what a person should know of it."""

    app: Mapping[str, Any] = field(repr=False)
    parsed: AppTarget
    warnings: tuple[str, ...]


def is_compose(document: object) -> bool:
    """Whether a document is a compose file: services by name, and no apps."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("services"), Mapping)
        and "apps" not in document
    )


def own_app_id(document: object) -> int | None:
    """The app id that a compose document asks for itself."""
    ours = document.get(OURS) if isinstance(document, Mapping) else None
    found = ours.get("app_id") if isinstance(ours, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def app_id_of(name: str | None, apps: Mapping[str, Any]) -> int:
    """The id that the app of that name has among `apps` (by id), else a free one."""
    same = (int(app_id) for app_id, app in apps.items() if name and app.get("appName") == name)
    return next(same, max((int(app_id) for app_id in apps), default=APP_ID_DEFAULT - 1) + 1)


def own_name(document: object) -> str | None:
    """The name that a compose document gives itself."""
    found = document.get("name") if isinstance(document, Mapping) else None
    return found if isinstance(found, str) and found else None


def from_compose(
    document: object,
    *,
    app_id: int = APP_ID_DEFAULT,
    app_name: str | None = None,
    service_ids: Mapping[str, ServiceId] | None = None,
    strict: bool = False,
) -> FromCompose:
    """The app that a compose document describes.

    `app_name` wins over the document's `name`; one of them has to be there. A service's id is its
    name, unless `service_ids` or its own `x-iotistic` says another. Expressions, files and
    variables have to be resolved before. Raises InvalidField with the path in the document, for
    what the parser of targets refuses as well, and NotOnADevice.
    """
    if not isinstance(document, Mapping):
        raise InvalidField("the document", expected="an object with services", found=document)
    whole = Fields(document, "", strict=strict)
    fields = Fields(dict(_own(document)), "", warnings=whole.warnings, strict=strict)
    services = fields.required("services", expected="services by name")
    if not isinstance(services, Mapping):
        raise InvalidField("services", expected="services by name", found=services)
    _refuse(fields, _REFUSED)
    ours = whole.nested(whole.mapping(OURS), OURS)
    for known in ("app_id", *OF_AN_APP):
        ours.raw(known)
    ours.warn_unknown()
    own = fields.raw("name")
    app_name = app_name or own
    app: dict[str, Any] = {
        "appId": app_id,
        "appName": app_name,
        "services": list(
            read_each(
                map(str, services),
                services.values(),
                lambda value, name: _service(name, value, service_ids or {}, fields),
            )
        ),
        **{
            what: {key: _plain(value) for key, value in found.items()}
            for what in _OBJECTS
            if (found := fields.mapping(what))
        },
        **{what: value for what in OF_AN_APP if (value := ours.raw(what)) is not None},
    }
    fields.raw("version")  # of files of former days, which says nothing any more
    fields.warn_unknown()
    if app_name is None:
        raise InvalidField("name", expected="a name for the app")
    names = [(service["serviceName"], service["serviceId"]) for service in app["services"]]
    places = Places(
        app_id=app_id,
        services=tuple(name for name, _ in names),
        numbered=frozenset(name for name, service_id in names if service_id != name),
    )
    try:
        target = parse_target({"apps": {str(app_id): app}}, strict=strict)
    except InvalidField as error:
        raise places.moved(error) from error
    warnings = (*fields.warnings, *(places.text(warning) for warning in target.warnings))
    return FromCompose(app=app, parsed=target.apps[0], warnings=warnings)


def _service(
    name: str, raw: object, service_ids: Mapping[str, ServiceId], document: Fields
) -> dict[str, Any]:
    at = join("services", name)
    fields = document.nested(raw, at)
    _refuse(fields, {**elsewhere.REFUSED, **dict.fromkeys(_NOT_RESOLVED, _NO_FILES)})
    ours = document.nested(fields.mapping(OURS), join(at, OURS))
    config = {
        word: _without_extensions(value) if word in _EXTENDED else value
        for word, value in _own(raw)
        if word != "image"
    }
    for word in OF_A_SERVICE:
        if (value := ours.raw(word)) is not None:
            config[word] = value
    if more := ours.items("secrets"):
        config["secrets"] = [*fields.items("secrets"), *more]
    given = ours.raw("service_id")
    service: dict[str, Any] = {
        "serviceId": service_ids.get(name, name) if given is None else given,
        "serviceName": name,
        "imageName": fields.raw("image"),
        "config": config,
    }
    if (state := ours.raw("state")) is not None:
        service["state"] = state
    ours.warn_unknown()
    return service


_NO_FILES = ("a device has no such file", "iotctl resolves it, beside the file it stands in")


def _refuse(fields: Fields, refused: Mapping[str, tuple[str, str]]) -> None:
    for name, (reason, remedy) in refused.items():
        if fields.raw(name):  # an empty one says nothing
            raise NotOnADevice(
                fields.path(name), expected=f"nothing, {reason}", found="a value", remedy=remedy
            )
    deployed = fields.raw("deploy")
    replicas = deployed.get("replicas") if isinstance(deployed, Mapping) else None
    for at, count in (("scale", fields.raw("scale")), ("deploy.replicas", replicas)):
        if isinstance(count, int) and count != 1:
            raise NotOnADevice(
                f"{fields.at}.{at}" if fields.at else at,
                expected="1, since a device runs a service once",
                found=count,
                remedy="write one service for each instance",
            )


def _own(raw: object) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, Mapping):
        yield from ((str(n), value) for n, value in raw.items() if not str(n).startswith("x-"))


def _plain(value: Any) -> Any:
    """A network, volume or secret; one without a word is an empty object."""
    return {} if value is None else _without_extensions(value)


def _without_extensions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: item if name in _SOMEBODYS_OWN else _without_extensions(item)
            for name, item in _own(value)
        }
    if isinstance(value, list):
        return [_without_extensions(item) for item in value]
    return value


_SOMEBODYS_OWN = ("labels", "options", "driver_opts")
