"""A world with its facts at hand: what is asked of it again and again, looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from iotistic.model.observation import Container, Image, Resources
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import (
    Attempt,
    Completed,
    Intent,
    IntentKind,
    Lock,
    LockOwner,
    StepKind,
    Subject,
    World,
)


class NeedsResources(Exception):
    """The decision depends on images, networks or volumes, which this round did not look at."""


def stop_in_force(intents: Iterable[Intent], service: WantedService) -> Intent | None:
    """The stop by a person that holds for a service as it is wanted now."""
    for intent in intents:
        if intent.kind is IntentKind.STOP and (intent.app_id, intent.service_id) == (
            service.app_id,
            service.key,
        ):
            ended = intent.until_release and intent.purpose != service.spec_hash
            return None if ended else intent
    return None


class Sight:
    """A world, indexed. Lives for one round.

    `apps` are all whose images may still be needed, in every release of them that may be wanted.
    `inspections` collects the ids of containers that have to be looked at closely.
    """

    def __init__(self, world: World, apps: Sequence[WantedApp] = ()) -> None:
        self.world = world
        self._apps = apps
        self.now_s = world.now_s
        # In one order, so that it does not matter in which an engine lists them.
        self.containers = sorted(world.containers, key=lambda c: c.id)
        self.names = {c.name: c.id for c in self.containers}
        self.inspections: set[str] = set()
        self._by_service: dict[tuple[int, str], list[Container]] = defaultdict(list)
        self._by_app: dict[int, list[Container]] = defaultdict(list)
        for container in self.containers:
            self._by_service[container.app_id, container.service_id].append(container)
            self._by_app[container.app_id].append(container)
        self._attempts = {(a.subject, a.step): a for a in world.attempts}
        self._stops: dict[tuple[int, str], Intent] = {}
        self._restarts: dict[tuple[int, str], Intent] = {}
        for intent in world.intents:
            kept = {IntentKind.STOP: self._stops, IntentKind.RESTART: self._restarts}
            if (found := kept.get(intent.kind)) is not None:
                found.setdefault((intent.app_id, intent.service_id), intent)

    @property
    def app_ids(self) -> frozenset[int]:
        """The apps that have containers."""
        return frozenset(self._by_app)

    def of_app(self, app_id: int) -> Sequence[Container]:
        """The containers of an app."""
        return self._by_app.get(app_id, ())

    def of_service(self, service: WantedService) -> Sequence[Container]:
        """The containers of a service."""
        return self._by_service.get((service.app_id, service.key), ())

    @property
    def resources(self) -> Resources:
        """What was seen in this round; raises NeedsResources if it was not looked at."""
        if self.world.resources is None or not self.world.resources_fresh:
            raise NeedsResources
        return self.world.resources

    @cached_property
    def images(self) -> Mapping[str, Image]:
        """The images that containers can be made of, by reference; raises NeedsResources."""
        return {
            reference: image
            for image in sorted(self.resources.images, key=lambda image: image.id)
            for reference in image.references
        }

    @cached_property
    def pins(self) -> Mapping[tuple[int, str, str], str]:
        """The image id that a reference had, by app, reference and release it was pulled for."""
        return {(p.app_id, p.reference, p.release_hash): p.image_id for p in self.world.pulled}

    @property
    def seen_resources(self) -> Resources | None:
        """What was seen in this round or an earlier one."""
        return self.world.resources

    @cached_property
    def seen_image_ids(self) -> frozenset[str]:
        """The images that are here, as seen now or earlier; raises NeedsResources if never."""
        if self.world.resources is None:
            raise NeedsResources
        return frozenset(image.id for image in self.world.resources.images)

    def images_of_others(self, app_id: int) -> frozenset[str]:
        """The images that other apps than this one need, by reference."""
        return frozenset(
            service.image for app in self._apps if app.app_id != app_id for service in app.services
        )

    def attempt(self, subject: Subject, kind: StepKind) -> Attempt | None:
        """The failures in a row of one kind of step on one subject."""
        return self._attempts.get((subject, kind))

    def stop_of(self, service: WantedService) -> Intent | None:
        """The stop by a person that is in force for a service as it is wanted now."""
        intent = self._stops.get((service.app_id, service.key))
        return stop_in_force((intent,), service) if intent else None

    def restart_of(self, service: WantedService) -> Intent | None:
        """The restart that a person asked of a service."""
        return self._restarts.get((service.app_id, service.key))

    def is_purged(self, app_id: int) -> bool:
        """Whether a person asked to remove the data of an app."""
        return any(
            intent.kind is IntentKind.PURGE and intent.app_id == app_id
            for intent in self.world.intents
        )

    def is_completed(self, service: WantedService) -> bool:
        """Whether this very one-shot ended well before."""
        return (
            Completed(app_id=service.app_id, service_id=service.key, spec_hash=service.spec_hash)
            in self.world.completed
        )

    def own_lock(self, app_id: int) -> bool:
        """Whether we hold the lock of an app."""
        return any(
            lock.app_id == app_id and lock.owner is LockOwner.AGENT for lock in self.world.locks
        )

    def foreign_lock(self, app: WantedApp | int) -> Lock | None:
        """The lock of somebody else that is in force for an app, the longest of several."""
        app_id = app if isinstance(app, int) else app.app_id
        held = [
            lock
            for lock in self.world.locks
            if lock.app_id == app_id
            and lock.owner is not LockOwner.AGENT
            and (lock.until_s is None or lock.until_s > self.now_s)
        ]
        return max(
            held, key=lambda lock: (float("inf") if lock.until_s is None else lock.until_s, lock),
            default=None,
        )  # fmt: skip
