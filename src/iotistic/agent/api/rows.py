"""Services as the API lists them: the target and what runs, joined; and finding one by a word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.service_rows import Failures
from iotistic.model.errors import Conflict, NotFound
from iotistic.model.observation import Container
from iotistic.model.release import Strategy
from iotistic.model.target import ServiceId
from iotistic.planner.pairing import pair
from iotistic.planner.step import Step, Wait
from iotistic.planner.steps import subject_of
from iotistic.planner.wanted import Wanted, WantedApp, WantedService
from iotistic.planner.world import IntentKind, Lock, Subject


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known at this moment. `now_s` is the boot clock, `wall_ms` the wall's.

    What is looked up for each of many services is sorted once, when first asked for.
    """

    snapshot: Snapshot
    wanted: Wanted
    now_s: float
    wall_ms: int

    @cached_property
    def apps(self) -> tuple[AppRow, ...]:
        """All apps, sorted by id."""
        return _app_rows(self.snapshot, self.wanted)

    @cached_property
    def steps(self) -> Mapping[Subject, Step]:
        """The first step planned for each subject."""
        return {step.served: step for step in reversed(self.snapshot.plan.steps)}

    @cached_property
    def waits(self) -> Mapping[Subject, Wait]:
        """The first wait of each subject."""
        return {wait.subject: wait for wait in reversed(self.snapshot.plan.waits)}

    @cached_property
    def failures(self) -> Failures:
        """What failed lately."""
        return Failures.among(
            self.snapshot.attempts,
            now_s=self.now_s,
            boot_wall_ms=self.wall_ms - round(self.now_s * 1000),
        )

    @cached_property
    def rejections(self) -> Mapping[int, str]:
        """Apps that are not allowed here, and why."""
        return {
            app.app_id: app.rejection.message
            for app in self.wanted.apps
            if app.rejection is not None
        }

    @cached_property
    def held_back(self) -> Mapping[int, str]:
        """Apps for whose services nothing may be planned though they are not settled, and why."""
        purged = {
            intent.app_id: "the app is being purged"
            for intent in self.snapshot.intents
            if intent.kind is IntentKind.PURGE
        }
        return {**self.rejections, **purged}

    @cached_property
    def locks(self) -> tuple[Lock, ...]:
        """The locks in force, by app."""
        return tuple(
            lock
            for lock in sorted(self.snapshot.locks, key=lambda lock: (lock.app_id, lock.owner))
            if lock.until_s is None or lock.until_s > self.now_s
        )

    def locks_of(self, app_id: int) -> tuple[Lock, ...]:
        """The locks in force on one app."""
        return tuple(lock for lock in self.locks if lock.app_id == app_id)

    def wall_at_ms(self, at_s: float) -> int:
        """The wall-clock ms of a point on the boot clock."""
        return self.wall_ms + round((at_s - self.now_s) * 1000)

    def until_ms(self, at_s: float | None) -> int | None:
        """Milliseconds from now to a point on the boot clock; 0 when it has passed."""
        return None if at_s is None else max(0, round((at_s - self.now_s) * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service of the target (`wanted`), or a container that the target no longer has."""

    app_id: int
    app_name: str
    service_id: ServiceId
    service_name: str
    wanted: WantedService | None
    container: Container | None

    @property
    def subject(self) -> Subject:
        """What steps about it name."""
        return subject_of(self.app_id, str(self.service_id))

    @property
    def container_id(self) -> str | None:
        """The id of the container that stands for it."""
        return self.container.id if self.container else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """An app of the target (`wanted`), or what is left of one."""

    app_id: int
    app_name: str
    wanted: WantedApp | None
    services: tuple[ServiceRow, ...]


def _app_rows(snapshot: Snapshot, wanted: Wanted) -> tuple[AppRow, ...]:
    by_app: dict[int, dict[str, list[Container]]] = defaultdict(lambda: defaultdict(list))
    for container in snapshot.containers:
        by_app[container.app_id][container.service_id].append(container)
    wanted_apps = {app.app_id: app for app in wanted.apps}
    return tuple(
        _app_row(app_id, wanted_apps.get(app_id), by_app.get(app_id, {}))
        for app_id in sorted(wanted_apps.keys() | by_app.keys())
    )


def _app_row(
    app_id: int, wanted: WantedApp | None, containers: dict[str, list[Container]]
) -> AppRow:
    name = wanted.app_name if wanted else ""
    services = {service.key: service for service in wanted.services} if wanted else {}
    strategy = wanted.strategy if wanted else Strategy()
    rows = [
        ServiceRow(
            app_id=app_id,
            app_name=name,
            service_id=service.target.service_id,
            service_name=service.name,
            wanted=service,
            container=pair(service, containers.get(key, []), strategy).current,
        )
        for key, service in services.items()
    ]
    rows.extend(
        ServiceRow(
            app_id=app_id,
            app_name=name,
            service_id=container.service_id,
            service_name=container.service_name,
            wanted=None,
            container=container,
        )
        for key, found in containers.items()
        if key not in services
        for container in found
    )
    rows.sort(key=lambda row: (str(row.service_id), row.container_id or ""))
    return AppRow(app_id=app_id, app_name=name, wanted=wanted, services=tuple(rows))


def find_app(apps: Sequence[AppRow], app_id: int) -> AppRow:
    """The app with this id; raises NotFound."""
    for app in apps:
        if app.app_id == app_id:
            return app
    raise _no_app(apps, str(app_id))


def find_app_called(apps: Sequence[AppRow], word: str) -> AppRow:
    """The app with this id or name; raises NotFound, or Conflict for a name of several."""
    found = [app for app in apps if str(app.app_id) == word]
    found = found or [app for app in apps if app.app_name == word]
    if not found:
        raise _no_app(apps, repr(word[:64]))
    if len(found) > 1:
        ids = ", ".join(str(app.app_id) for app in found[:10])
        raise Conflict(
            f"{len(found)} apps are called {word[:64]!r}",
            code="ambiguous-app",
            remedy=f"name one by its id: {ids}",
        )
    return found[0]


def _no_app(apps: Sequence[AppRow], word: str) -> NotFound:
    known = ", ".join(f"{app.app_id} {app.app_name}".strip() for app in apps[:10])
    return NotFound(
        f"there is no app {word}",
        code="app-not-found",
        remedy=f"known are: {known}" if known else "this device has no apps yet",
    )


class Ambiguous(Conflict):
    """A word that fits several services."""

    code: str = "ambiguous-service"

    def __init__(self, word: str, candidates: Sequence[ServiceRow]) -> None:
        super().__init__(
            f"{len(candidates)} services are called {word[:64]!r}",
            remedy="say of which app (iotctl: --app ID), or use the name of its container",
        )
        self.candidates = tuple(candidates)

    def details(self) -> dict[str, object]:
        """Who is meant, perhaps."""
        return {**super().details(), "candidates": [_candidate(row) for row in self.candidates]}


def find_service(rows: Iterable[ServiceRow], word: str) -> ServiceRow:
    """The one service with this id, name, container name or `{serviceName}-{serviceId}`.

    Raises NotFound or Ambiguous.
    """
    found = [row for row in rows if word in _names(row)]
    if not found:
        raise NotFound(
            f"no service is called {word[:64]!r}",
            code="service-not-found",
            remedy="see which there are: iotctl services list",
        )
    if len(found) > 1:
        raise Ambiguous(word, found)
    return found[0]


def _names(row: ServiceRow) -> tuple[str, ...]:
    return (
        str(row.service_id),
        row.service_name,
        f"{row.service_name}-{row.service_id}",
        container_name(row) or "",
    )


def container_name(row: ServiceRow) -> str | None:
    """The name of its container, or of the one to be made."""
    if row.container is not None:
        return row.container.name
    return row.wanted.request.name if row.wanted else None


def _candidate(row: ServiceRow) -> dict[str, object]:
    return {
        "appId": row.app_id,
        "appName": row.app_name,
        "serviceId": row.service_id,
        "serviceName": row.service_name,
        "containerName": container_name(row),
    }
