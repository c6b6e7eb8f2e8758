"""What a plan leads to: the world after a step, if all goes well, and the steps from there on.

The engine as a pure function. It answers "what would happen" without doing anything, and it is
what the planner's own laws are tested with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from iotistic.model.naming import LABEL_CONFIG_HASH, LABEL_SPEC_FIELDS
from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.words import ContainerState, WaitReason
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.step import Plan, Step
from iotistic.planner.wanted import Wanted, WantedApp
from iotistic.planner.wishes import completed, fulfilled
from iotistic.planner.world import (
    Candidate,
    GoodRelease,
    Lock,
    LockOwner,
    PulledImage,
    Rejection,
    Releases,
    StepKind,
    World,
)

ROUNDS_MAX = 200
_ROUND_S = 1.0
_UP_S = 3600.0
_PASSES = (WaitReason.VERIFYING, WaitReason.HANDOVER, WaitReason.BACKOFF)
"""Waits that end by themselves; a lock or a full disk need somebody."""


def after(world: World, step: Step) -> World:
    """The world after a fair engine has done the step."""
    match step.kind:
        case StepKind.CREATE_CONTAINER:
            return replace(world, containers=(*world.containers, _made(step, world)))
        case StepKind.REMOVE | StepKind.HEAL:
            rest = tuple(c for c in world.containers if c.id != step.target)
            return replace(world, containers=rest)
        case StepKind.START | StepKind.UNPAUSE | StepKind.RESTART:
            return _with_state(world, step.target, ContainerState.RUNNING)
        case StepKind.PAUSE:
            return _with_state(world, step.target, ContainerState.PAUSED)
        case StepKind.STOP:
            return _with_state(world, step.target, ContainerState.EXITED)
        case StepKind.RENAME:
            renamed = tuple(
                replace(c, name=step.name) if c.id == step.target else c for c in world.containers
            )
            return replace(world, containers=renamed)
        case _ if step.kind.is_journal:
            return _noted(world, step)
        case _:
            return replace(
                world, resources=_resources_after(world, step), pulled=_pulled(world, step)
            )


def _resources_after(world: World, step: Step) -> Resources:
    seen = world.resources or Resources()
    app_id, name = step.subject.app_id, step.subject.name
    match step.kind:
        case StepKind.PULL:
            others = tuple(i for i in seen.images if step.target not in i.references)
            image = Image(id=_image_id(step.target, step.release_hash), references=(step.target,))
            return replace(seen, images=(*others, image))
        case StepKind.REMOVE_IMAGE:
            return replace(seen, images=tuple(i for i in seen.images if i.id != step.target))
        case StepKind.CREATE_NETWORK:
            network = Network(
                id=step.target, name=step.target, app_id=app_id, short_name=name,
                spec_hash=step.purpose or None,
            )  # fmt: skip
            return replace(seen, networks=(*seen.networks, network))
        case StepKind.REMOVE_NETWORK:
            left = tuple(n for n in seen.networks if n.name != step.target)
            return replace(seen, networks=left)
        case StepKind.CREATE_VOLUME:
            volume = Volume(
                name=step.target, app_id=app_id, short_name=name, spec_hash=step.purpose or None
            )
            return replace(seen, volumes=(*seen.volumes, volume))
        case StepKind.REMOVE_VOLUME:
            return replace(seen, volumes=tuple(v for v in seen.volumes if v.name != step.target))
        case _:
            return seen


def _image_id(reference: str, release_hash: str) -> str:
    return f"sha256:{reference}/{release_hash}"


def _pulled(world: World, step: Step) -> tuple[PulledImage, ...]:
    if step.kind is not StepKind.PULL:
        return world.pulled
    app_id = step.served.app_id
    kept = tuple(p for p in world.pulled if (p.app_id, p.reference) != (app_id, step.target))
    image = PulledImage(
        reference=step.target,
        image_id=_image_id(step.target, step.release_hash),
        app_id=app_id,
        release_hash=step.release_hash,
        at_ms=int(world.now_s * 1000),
    )
    return (*kept, image)


def _noted(world: World, step: Step) -> World:
    app_id, known = step.subject.app_id, world.releases
    good = tuple(g for g in known.good if g.app_id != app_id)
    watched = tuple(c for c in known.candidates if c.app_id != app_id)
    match step.kind:
        case StepKind.TAKE_LOCKS:
            mine = Lock(app_id=app_id, owner=LockOwner.AGENT)
            return replace(world, locks=(*world.locks, mine))
        case StepKind.RELEASE_LOCKS:
            left = tuple(
                lock
                for lock in world.locks
                if lock.app_id != app_id or lock.owner is not LockOwner.AGENT
            )
            return replace(world, locks=left)
        case StepKind.VERIFY:
            candidate = Candidate(
                app_id=app_id,
                release_hash=step.release_hash,
                release=step.release,
                deadline_s=world.now_s if step.until_s is None else step.until_s,
            )
            return replace(world, releases=replace(known, candidates=(*watched, candidate)))
        case StepKind.COMMIT:
            new = GoodRelease(app_id=app_id, release_hash=step.release_hash, release=step.release)
            return replace(world, releases=replace(known, good=(*good, new), candidates=watched))
        case _:
            rejection = Rejection(
                app_id=app_id,
                release_hash=step.release_hash,
                release=step.release,
                reason=step.reason,
                service_name=step.service_name,
            )
            return replace(
                world,
                releases=Releases(
                    good=known.good, candidates=watched, rejected=(*known.rejected, rejection)
                ),
            )


def _made(step: Step, world: World) -> Container:
    if step.container is None:
        raise ValueError("a step that makes a container, without its request")
    labels = dict(step.container.labels)
    reference = step.container.spec.image.canonical
    images = world.resources.images if world.resources else ()
    taken = {c.id for c in world.containers}
    ids = (f"new{world.now_s:.0f}-{n}" for n in range(len(taken) + 1))
    return Container(
        id=next(new_id for new_id in ids if new_id not in taken),
        name=step.container.name,
        app_id=step.subject.app_id,
        service_id=step.subject.name,
        service_name=step.service_name,
        state=ContainerState.CREATED,
        image=str(step.container.spec.image),
        image_id=step.container.image_id
        or next((i.id for i in images if reference in i.references), "sha256:x"),
        spec_hash=labels[LABEL_CONFIG_HASH],
        spec_fields=labels[LABEL_SPEC_FIELDS],
        networks=tuple(joining.network for joining in step.container.networks),
        network_mode=step.container.network_mode or "",
        created_s=world.now_s,
    )


def _with_state(world: World, container_id: str, state: ContainerState) -> World:
    code = 137 if state is ContainerState.EXITED else None
    return replace(
        world,
        containers=tuple(
            replace(c, state=state, exit_code=code, up_s=0.0) if c.id == container_id else c
            for c in world.containers
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would happen if all went well.

    `rounds` are the steps in the order in which they would be taken, those of one round side by
    side. `last` is the plan at the end: what it still waits for. `interruptions` counts, by app
    id and service name, how often a service that runs would be stopped or restarted.
    """

    rounds: tuple[tuple[Step, ...], ...] = ()
    last: Plan = field(default_factory=Plan)
    interruptions: Mapping[tuple[int, str], int] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for one in self.rounds for step in one)


def foresee(world: World, wanted: Wanted, policy: Policy) -> Foreseen:
    """Plan and do, in the mind, until nothing is left to do. `world` needs fresh resources."""
    rounds: list[tuple[Step, ...]] = []
    interruptions: dict[tuple[int, str], int] = {}
    decided = plan(world, wanted, policy)
    for _ in range(ROUNDS_MAX):
        for step in decided.steps:
            if step.kind in (StepKind.STOP, StepKind.RESTART, StepKind.PAUSE):
                key = (step.subject.app_id, step.service_name)
                interruptions[key] = interruptions.get(key, 0) + 1
            world = after(world, step)
        if decided.steps:
            rounds.append(decided.steps)
        world, wanted, moved = time_passes(world, wanted, decided)
        if not (decided.steps or moved):
            break
        decided = plan(world, wanted, policy)
    return Foreseen(rounds=tuple(rounds), last=decided, interruptions=interruptions)


def time_passes(world: World, wanted: Wanted, decided: Plan) -> tuple[World, Wanted, bool]:
    """The world when nothing but time is waited for: what runs is well, what was busy is done.

    The last value says whether that changed anything. One-shots that were started end well.
    """
    one_shots = {
        (s.app_id, s.key)
        for app in (*wanted.apps, *wanted.good.values())
        for s in app.services
        if s.target.spec.restart.name in ("no", "on-failure")
    }
    containers = tuple(
        _moved_on(c, ends=(c.app_id, c.service_id) in one_shots)
        for c in world.containers
        if c.state is not ContainerState.REMOVING
    )
    asleep_until_s = 0.0 if decided.steps else decided.ask_again_s or 0.0
    later_s = max(world.now_s + _ROUND_S, asleep_until_s)
    moved = replace(world, containers=containers, now_s=later_s, pulling={}, in_flight=frozenset())
    moved = replace(
        moved,
        intents=tuple(i for i in moved.intents if i not in fulfilled(moved, wanted)),
        completed=completed(moved, wanted),
    )
    wanted = replace(wanted, good=_good_apps(moved.releases, wanted))
    facts = ("containers", "pulling", "in_flight", "intents", "completed")
    up = [c.up_s for c in moved.containers] != [c.up_s for c in world.containers]
    changed = up or any(getattr(moved, name) != getattr(world, name) for name in facts)
    return moved, wanted, changed or any(w.reason in _PASSES for w in decided.waits)


def _good_apps(known: Releases, wanted: Wanted) -> Mapping[int, WantedApp]:
    """The last good releases, as far as they are the target's own or were known before."""
    good = dict(wanted.good)
    hashes = {release.app_id: release.release_hash for release in known.good}
    for app in wanted.apps:
        if hashes.get(app.app_id) == app.release_hash:
            good[app.app_id] = app
    return good


def _moved_on(container: Container, *, ends: bool) -> Container:
    if container.state is ContainerState.RESTARTING:
        return replace(container, state=ContainerState.RUNNING, up_s=_UP_S)
    if container.state is not ContainerState.RUNNING:
        return container
    if ends:
        return replace(container, state=ContainerState.EXITED, exit_code=0)
    health = "healthy" if container.health else None
    return replace(container, up_s=_UP_S, health=health)
