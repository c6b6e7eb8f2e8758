"""From an app of a target to a compose document that compose itself takes as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.compose.from_compose import OF_A_SERVICE, OF_AN_APP, OURS
from iotistic.model.errors import MASK
from iotistic.model.reader import Fields

# What a target may also call a field, and what compose calls it.
_COMPOSE_NAMES: Mapping[str, str] = {
    "driverOpts": "driver_opts",
    "networkMode": "network_mode",
    "readonlyRootfs": "read_only",
    "stopSignal": "stop_signal",
    "stopTimeout": "stop_grace_period",
    "workingDir": "working_dir",
}
_SPANS = frozenset({"interval", "start_interval", "start_period", "stop_grace_period", "timeout"})
# Below these, names are the user's own.
_OWN_NAMES = frozenset(
    {"annotations", "driver_opts", "extra_hosts", "labels", "options", "storage_opt", "sysctls"}
)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCompose:
    """A compose document, and the variables that it takes its secrets from."""

    document: Mapping[str, Any]
    variables: tuple[str, ...]


def to_compose(app: Mapping[str, Any]) -> ToCompose:
    """The compose document of an app as the wire has it.

    No secret of the app is in it, and nothing that is masked: these become expressions over
    `variables`. What compose has no word for stands under `x-iotistic`. Raises InvalidField when
    the app has not the form of one.
    """
    fields = Fields(app, "app")
    work = _Writing()
    services = {
        service.text("serviceName"): _service(service, work)
        for service in fields.each("services", fields.nested)
    }
    document: dict[str, Any] = {"name": fields.text("appName"), "services": services}
    for what in ("networks", "volumes"):
        if found := {name: work.plain(value, name) for name, value in _objects(fields, what)}:
            document[what] = found
    if secrets := fields.mapping("secrets"):
        document["secrets"] = {
            name: {"environment": work.variable(name, "secret")} for name in secrets
        }
    document[OURS] = {
        "app_id": fields.integer("appId"),
        **{name: work.plain(value, "app") for name, value in _some(fields, OF_AN_APP).items()},
    }
    return ToCompose(document=document, variables=tuple(work.variables.values()))


@dataclass(slots=True)
class _Writing:
    """Texts that mean themselves, and a variable for each that is masked."""

    variables: dict[tuple[str, str], str] = field(default_factory=dict)

    def plain(self, value: Any, owner: str, name: str = "") -> Any:
        """A value in compose's words; `name` is what it is called in `owner`."""
        if isinstance(value, Mapping) and name in _OWN_NAMES:
            return {str(key): self.text(item, owner, str(key)) for key, item in value.items()}
        if isinstance(value, Mapping):
            return {
                (key := _COMPOSE_NAMES.get(str(found), str(found))): self.plain(item, owner, key)
                for found, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.plain(item, owner, name) for item in value]
        if name in _SPANS and isinstance(value, int | float) and not isinstance(value, bool):
            return f"{value}s"  # a bare number is no span to compose
        return self.text(value, owner, name)

    def text(self, value: Any, owner: str, name: str) -> Any:
        """A scalar: a mask as an expression, any other text so that it means itself."""
        if value == MASK:
            return f"${{{self.variable(name, owner)}}}"
        return value.replace("$", "$$") if isinstance(value, str) else value

    def variable(self, name: str, owner: str) -> str:
        """The variable of what is called so there: a name for itself, where that is free."""
        found = self.variables.get((owner, name))
        if found is None:
            taken = set(self.variables.values())
            candidates = (_variable(name), _variable(f"{owner}_{name}"))
            numbered = (f"{candidates[1]}_{n}" for n in range(2, len(taken) + 3))
            found = next(one for one in (*candidates, *numbered) if one not in taken)
            self.variables[owner, name] = found
        return found


def _variable(name: str) -> str:
    found = _NOT_IN_A_NAME.sub("_", name).upper() or "VALUE"
    return f"_{found}" if found[0].isdigit() else found


def _service(service: Fields, work: _Writing) -> dict[str, Any]:
    config = service.child("config")
    name = service.text("serviceName")
    done: dict[str, Any] = {
        "image": work.plain(service.raw("imageName") or config.raw("image"), name, "image")
    }
    own = {"environment", "image", "resources", "secrets", *OF_A_SERVICE}
    rest = {key: value for key, value in service.mapping("config").items() if key not in own}
    done |= work.plain(rest, name)
    if environment := dict(_environment(config)):
        done["environment"] = {
            variable: work.text(value, name, variable) for variable, value in environment.items()
        }
    if config.raw("resources"):
        done["deploy"] = _deploy(done.get("deploy") or {}, config.child("resources"))
    if done.get("restart") is False:
        done["restart"] = "no"
    as_files, as_variables = _uses(config)
    if as_files:
        done["secrets"] = work.plain(as_files, name)
    ours: dict[str, Any] = {}
    if (service_id := service.raw("serviceId")) != name:
        ours["service_id"] = service_id
    if (state := service.raw("state")) not in (None, "running"):
        ours["state"] = state
    ours |= {key: value for key, value in _some(config, OF_A_SERVICE).items() if value}
    if as_variables:
        ours["secrets"] = work.plain(as_variables, name)
    return {**done, OURS: ours} if ours else done


def _environment(config: Fields) -> Iterator[tuple[str, Any]]:
    """Variables with their values; one without is nothing here, and something else to compose."""
    raw = config.raw("environment")
    if isinstance(raw, Mapping):
        yield from ((str(name), value) for name, value in raw.items() if value is not None)
        return
    for item in config.items("environment"):
        name, sign, value = str(item).partition("=")
        if sign:
            yield name, value


def _uses(config: Fields) -> tuple[list[Any], list[Any]]:
    """Secrets as files, which compose has too, and as variables, which it has not."""
    as_files: list[Any] = []
    as_variables: list[Any] = []
    for use in config.items("secrets"):
        is_variable = isinstance(use, Mapping) and use.get("environment")
        (as_variables if is_variable else as_files).append(use)
    return as_files, as_variables


def _deploy(deploy: Mapping[str, Any], older: Fields) -> dict[str, Any]:
    """The older `resources` as compose's `deploy.resources`, beside what stands there."""
    limits, requests = older.child("limits"), older.child("requests")
    resources = dict(deploy.get("resources") or {})
    for side, found in (
        ("limits", {"cpus": limits.raw("cpu", "cpus"), "memory": limits.raw("memory")}),
        ("reservations", {"memory": requests.raw("memory")}),
    ):
        said = {name: value for name, value in found.items() if value is not None}
        if said:
            resources[side] = {**said, **(resources.get(side) or {})}
    return {**deploy, "resources": resources}


def _objects(app: Fields, what: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Networks or volumes by name, also from the older list."""
    raw = app.raw(what)
    if isinstance(raw, Mapping):
        yield from ((str(name), value or {}) for name, value in raw.items())
        return
    for n, item in enumerate(app.items(what)):
        fields = app.nested(item, f"{app.path(what)}[{n}]")
        rest = {name: value for name, value in item.items() if name != "name"}
        yield fields.text("name"), rest


def _some(fields: Fields, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := fields.raw(name)) is not None}
