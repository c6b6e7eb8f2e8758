"""A device in the mind: plan, do, look, with the planner's own engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from iotistic.model.image import parse_image
from iotistic.model.observation import Container, Image, Resources
from iotistic.model.target import parse_target
from iotistic.model.words import ContainerState
from iotistic.planner.foresight import after, time_passes
from iotistic.planner.plan import plan
from iotistic.planner.policy import Permission, Policy
from iotistic.planner.step import Plan, Step, Wait
from iotistic.planner.wanted import Wanted, work_out
from iotistic.planner.world import PulledImage, World
from tests.planner.builders import KEY, UUID

APP = 1001


def want(*services: dict[str, Any], version: int = 1, **app: Any) -> Wanted:
    """A target of one app, worked out; `app` are fields of the app."""
    document = {"appId": APP, "appName": "shop", "services": list(services), **app}
    target = parse_target({"apps": {str(APP): document}, "version": version})
    return work_out(target, uuid=UUID, hash_key=KEY, policy=Policy(allow=frozenset(Permission)))


def image(reference: str, size_bytes: int = 0) -> Image:
    """An image that is here."""
    return Image(
        id=f"sha256:{reference}",
        references=(parse_image(reference, at="").canonical,),
        size_bytes=size_bytes,
    )


def pulled(reference: str, at_ms: int = 1, release_hash: str = "") -> PulledImage:
    """That this agent pulled it."""
    return PulledImage(
        reference=parse_image(reference, at="").canonical,
        image_id=f"sha256:{reference}",
        app_id=APP,
        release_hash=release_hash,
        at_ms=at_ms,
    )


class Drive:
    """A world and a target; what is planned, done, and seen."""

    def __init__(self, wanted: Wanted, *images: str, **facts: Any) -> None:
        self.wanted = wanted
        self.policy = Policy()
        self.done: list[Step] = []
        seen = Resources(images=tuple(image(name) for name in images))
        self.world = replace(World(now_s=1000.0, resources=seen), **facts)

    def plan(self) -> Plan:
        """The plan of this moment."""
        return plan(self.world, self.wanted, self.policy)

    def said(self) -> set[str]:
        """The plan in words: `KIND SERVICE` of steps, `wait REASON SERVICE` of waits."""
        decided = self.plan()
        found: list[Step | Wait] = [*decided.steps, *decided.waits]
        return {_word(one) for one in found}

    def round(self, *, but: Callable[[Step], bool] = lambda _: False) -> list[Step]:
        """Do what is planned, except for steps that `but` picks; then time passes."""
        decided = self.plan()
        steps = [step for step in decided.steps if not but(step)]
        for step in steps:
            self.world = after(self.world, step)
        self.done += steps
        self.world, self.wanted, _ = time_passes(self.world, self.wanted, decided)
        return steps

    def act(self) -> None:
        """Do what is planned; no time passes, and nothing happens by itself."""
        steps = self.plan().steps
        for step in steps:
            self.world = after(self.world, step)
        self.done += steps

    def settle(self, limit: int = 60) -> None:
        """Go on until there is nothing to do."""
        for _ in range(limit):
            decided = self.plan()
            before = self.world
            self.round()
            if not decided.steps and decided.settled and self.world.containers == before.containers:
                return
        raise AssertionError(f"not settled: {self.said()}")

    def until(self, word: str, limit: int = 60) -> None:
        """Go on until this is planned."""
        for _ in range(limit):
            if word in self.said():
                return
            self.round()
        raise AssertionError(f"{word} never came, but {self.said()}")

    def release(self, wanted: Wanted) -> None:
        """Another target comes."""
        self.wanted = replace(wanted, good=self.wanted.good)

    def container(self, service: str) -> Container:
        """The newest container of a service."""
        found = [c for c in self.world.containers if c.service_name == service]
        return max(found, key=lambda c: (c.created_s, c.id))

    def change(self, service: str, **fields: Any) -> None:
        """Something happens to a service's container."""
        chosen = self.container(service)
        self.world = replace(
            self.world,
            containers=tuple(
                replace(c, **fields) if c.id == chosen.id else c for c in self.world.containers
            ),
        )

    def words(self) -> list[str]:
        """What was done so far, in order."""
        return [_word(step) for step in self.done]

    def running(self) -> set[str]:
        """The names of services that run."""
        return {c.service_name for c in self.world.containers if c.state is ContainerState.RUNNING}


def _word(one: Step | Wait) -> str:
    name = one.service_name or one.subject.name
    word = one.kind if isinstance(one, Step) else f"wait {one.reason}"
    return f"{word} {name}".strip()
