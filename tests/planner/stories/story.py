"""A device in the mind, and what was told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.model.observation import Network
from iotistic.model.words import ContainerState
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import (
    Attempt,
    Intent,
    IntentKind,
    Lock,
    LockOwner,
    StepKind,
    Subject,
)
from tests.planner.drive import APP, Drive
from tests.planner.told import told

IMAGES = ("web:1", "web:2", "db:1", "job:1")
WEB = Subject(app_id=APP, kind="service", name="web")


class Story:
    """What is told is the whole plan of a moment."""

    def __init__(self, wanted: Wanted, *images: str, **facts: Any) -> None:
        self.device = Drive(wanted, *(images or IMAGES), **facts)
        self.targets = [wanted]
        self.lines: list[str] = []

    def tell(self, title: str) -> Story:
        """Tell the plan of this moment."""
        known = [self.device.wanted, *self.targets[-2::-1]]
        self.lines += [f"## {title}", "", *told(self.device.plan(), *known), ""]
        return self

    def follow(self, title: str, rounds: int) -> Story:
        """Tell and do, round by round."""
        for number in range(rounds):
            self.tell(f"{title}, {number + 1}")
            self.device.round()
        return self

    def release(self, wanted: Wanted) -> Story:
        """Another target comes."""
        self.targets.append(wanted)
        self.device.release(wanted)
        return self

    def settle(self) -> Story:
        """Without a word."""
        self.device.settle()
        return self

    def until(self, word: str) -> Story:
        """Without a word, up to where this is planned."""
        self.device.until(word)
        return self

    def rounds(self, count: int) -> Story:
        """Without a word."""
        for _ in range(count):
            self.device.round()
        return self

    def world(self, **facts: Any) -> Story:
        """Something is so."""
        self.device.world = replace(self.device.world, **facts)
        return self

    def later(self, span_s: float) -> Story:
        """Time passes, and nothing else."""
        return self.world(now_s=self.device.world.now_s + span_s)

    def resources(self, **facts: Any) -> Story:
        """Something of images, networks or volumes is so."""
        assert self.device.world.resources is not None
        return self.world(resources=replace(self.device.world.resources, **facts))

    def service(self, service: str, /, **facts: Any) -> Story:
        """Something of a service's container is so."""
        if isinstance(state := facts.get("state"), str):
            facts["state"] = ContainerState(state)
        self.device.change(service, **facts)
        return self

    def spec_hash(self, service: str) -> str:
        """Of a service as it is wanted."""
        wanted = self.device.wanted.apps[0].service(service)
        assert wanted is not None
        return wanted.spec_hash

    def twin(self, name: str, /, **facts: Any) -> Story:
        """A second container of a service."""
        one = replace(self.device.container(name), **{"id": f"twin-of-{name}", **facts})
        return self.world(containers=(*self.device.world.containers, one))

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


def lock(owner: LockOwner = LockOwner.PERSON, **facts: Any) -> Lock:
    """A lock on the app."""
    return Lock(app_id=APP, owner=owner, **facts)


def intent(kind: IntentKind, service: str = "web", **facts: Any) -> Intent:
    """A person's wish."""
    return Intent(kind=kind, app_id=APP, service_id=service, **facts)


def failed(subject: Subject, step: StepKind, **facts: Any) -> Attempt:
    """A step that failed."""
    told: dict[str, Any] = {"count": 1, "not_before_s": 1e6, "message": "the engine said no"}
    return Attempt(subject=subject, step=step, **(told | facts))


def network(name: str, app_id: int = APP, **facts: Any) -> Network:
    """A network with our label."""
    full = f"{app_id}_{name}-0f0e0d0c"
    return Network(id=full, name=full, app_id=app_id, short_name=name, **facts)
