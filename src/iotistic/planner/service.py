"""The one thing that is safe to do now for one service, or why nothing is.

Download-then-kill unless the app says otherwise: nothing that runs is stopped before the images
of its whole app are here. A container that has ended is never started again, but removed and made
anew; one that is paused is kept. A failure of the step chosen here is waited for by `plan`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from iotistic.model.observation import Container
from iotistic.model.release import Strategy, StrategyKind
from iotistic.model.words import ContainerState, RunState, WaitReason
from iotistic.planner import compare
from iotistic.planner.compare import Change
from iotistic.planner.order import ACTIVE, is_one_shot, rests_failed
from iotistic.planner.releases import health_wait
from iotistic.planner.step import Step, Wait
from iotistic.planner.steps import Maker, code_of
from iotistic.planner.world import CloseLook, Intent, StepKind

KILL_FIRST = (StrategyKind.KILL_THEN_DOWNLOAD, StrategyKind.DELETE_THEN_DOWNLOAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """What making or replacing a container depends on.

    `first`: steps or a wait that bring its image. `missing_images`: those that services of the app
    are still to be made of. `missing_objects`: networks and volumes that have to be made first;
    `remade_objects`: those that have to go before. `missing_externals`: those of others.
    `image_id`: what to make it of where the image's tag has moved.
    """

    first: Step | Wait | None = None
    missing_images: frozenset[str] = frozenset()
    missing_objects: tuple[str, ...] = ()
    remade_objects: tuple[str, ...] = ()
    missing_externals: tuple[str, ...] = ()
    image_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the next step of a service depends on, beside its containers.

    `want`: what the target wants, unless a person said stop (`asked`). `start_wait`: why it may
    not be started yet. `network_mode`: the one to make it with, None while the service whose
    network it shares is not there. `shakes`: why it has to go though it is as wanted (what it
    hangs on is made anew), `leaves`: the network, if it is one. `completed`: it ended well before.
    `name_taken`: by another container.
    """

    want: RunState = RunState.RUNNING
    asked: bool = False
    restart: Intent | None = None
    strategy: Strategy = field(default_factory=Strategy)
    start_wait: Wait | None = None
    network_mode: str | None = ""
    look: CloseLook | None = None
    image_id: str | None = None
    shakes: str = ""
    leaves: str = ""
    completed: bool = False
    name_taken: bool = False
    handed_over: bool = False


def next_step(
    maker: Maker,
    current: Container | None,
    old: Container | None,
    situation: Situation,
    prerequisites: Callable[[], Prerequisites],
) -> Step | Wait | None:
    """The next step for a service, a wait with its reason, or None when it is as wanted.

    `old` is an earlier container that runs beside `current` until it has handed over. Asks for
    `prerequisites` only if the answer depends on them, and raises what that does; and
    NeedsInspection when it depends on a close look.
    """
    if current is None:
        if situation.want is RunState.STOPPED or situation.completed:
            return None
        return _make(maker, situation, prerequisites())
    if current.state is ContainerState.REMOVING:
        return maker.wait(WaitReason.ENGINE_REMOVING, "the engine is removing its container")
    change = compare.change_of(maker.service, current, situation)
    if change is not None:
        return _replace(maker, current, situation, change, prerequisites)
    if old is not None:
        return _hand_over(maker, current, old, situation)
    return _same_spec(maker, current, situation)


def _make(maker: Maker, situation: Situation, needs: Prerequisites) -> Step | Wait:
    objects = (*needs.missing_objects, *needs.remade_objects)
    wait = _ready_to_make(maker, needs, replacing=False) or _objects_first(maker, objects)
    if wait is not None:
        return wait
    if situation.network_mode is None:
        other = maker.service.shares_network_of
        return maker.wait(WaitReason.DEPENDENCY, f"shares the network of {other}, not there yet")
    return maker.create(
        network_mode=situation.network_mode, image_id=needs.image_id, beside=situation.name_taken
    )


def _replace(
    maker: Maker,
    current: Container,
    situation: Situation,
    change: Change,
    prerequisites: Callable[[], Prerequisites],
) -> Step | Wait | None:
    active = current.state in ACTIVE
    if situation.want is RunState.STOPPED:
        if active:
            return maker.stop(current, "wanted stopped", lockless=situation.asked)
        # What has ended may stay for someone to look at; it is never started again. But nobody
        # else could have the network as long as it is there.
        return maker.remove(current, change.reason) if situation.leaves else None
    if situation.strategy.kind not in KILL_FIRST:
        needs = prerequisites()
        # Made before the old one stops, so that the gap is short.
        wait = _ready_to_make(maker, needs, replacing=active) or _objects_first(
            maker, needs.missing_objects
        )
        if wait is not None:
            return wait
        if active and hands_over(maker, situation, change):
            return _make(maker, situation, needs)
    if active:
        successor = maker.service.request
        return maker.stop(
            current,
            change.reason,
            change.differences,
            successor=successor if successor.folders else None,
        )
    return maker.remove(current, change.reason, change.differences)


def hands_over(maker: Maker, situation: Situation, change: Change) -> bool:
    """Whether the new container can run beside the old one.

    Not if both would need the same thing of the host or of a network, nor if something that the
    old one hangs on is made anew: that would wait for the old one to go.
    """
    spec = maker.service.target.spec
    exclusive = (
        any(port.host is not None for port in spec.ports)
        or spec.mac_address is not None
        or spec.network_mode is not None
        or any(n.ipv4_address or n.ipv6_address or n.mac_address for n in spec.networks)
    )
    tied = exclusive or change.shaken or situation.leaves != ""
    return situation.strategy.kind is StrategyKind.HAND_OVER and not tied


def _ready_to_make(maker: Maker, needs: Prerequisites, *, replacing: bool) -> Step | Wait | None:
    """The step or wait that comes before making a container; None when all is there."""
    if needs.first is not None:
        return needs.first
    if replacing and needs.missing_images:
        first = min(needs.missing_images)
        return maker.wait(
            WaitReason.IMAGES_OF_APP_MISSING, f"runs on until {first} of its app is here"
        )
    if needs.missing_externals:
        return maker.wait(
            WaitReason.EXTERNAL_MISSING, f"needs {', '.join(needs.missing_externals)}"
        )
    return None


def _objects_first(maker: Maker, objects: tuple[str, ...]) -> Wait | None:
    if not objects:
        return None
    return maker.wait(WaitReason.RESOURCES_MISSING, f"needs {', '.join(objects)}")


def _hand_over(
    maker: Maker, current: Container, old: Container, situation: Situation
) -> Step | Wait | None:
    """The new container beside the old one: started, waited for, then the old one goes."""
    if situation.want is RunState.STOPPED:
        if old.state in ACTIVE:
            return maker.stop(old, "wanted stopped", lockless=situation.asked)
        return maker.remove(old, "wanted stopped, and there is a newer one")
    reason = "there is a newer one"
    if current.state is not ContainerState.RUNNING:
        # A new one that ends is made again; the old one serves on meanwhile.
        found = _same_spec(maker, current, situation)
        if found is not None:
            return found
    elif situation.handed_over:
        reason = "handed over"
    elif old.state in ACTIVE:
        timeout_s = situation.strategy.handover_timeout_s
        if current.up_s < timeout_s:
            return maker.wait(
                WaitReason.HANDOVER,
                f"runs beside the old one until it has taken over, at most {timeout_s:g} s",
                until_s=maker.now_s + timeout_s - current.up_s,
            )
        reason = f"no word of the new for {timeout_s:g} s"
    if old.state in ACTIVE:
        return maker.stop(old, reason)
    return maker.remove(old, reason)


def _same_spec(maker: Maker, current: Container, situation: Situation) -> Step | Wait | None:
    state, want, restart = current.state, situation.want, situation.restart
    if want is RunState.STOPPED:
        return _keep_stopped(maker, current, situation)
    if restart is not None and restart.container_id == current.id:
        if state in ACTIVE:
            return maker.restart(current, restart)
        return maker.remove(current, "restart asked for by a person")
    if state is ContainerState.CREATED:
        return situation.start_wait or maker.start(current)
    if state is ContainerState.RESTARTING:
        return maker.wait(
            WaitReason.ENGINE_RESTARTING,
            f"ended{code_of(current)}, the engine is starting it again by its restart policy",
        )
    if state in (ContainerState.EXITED, ContainerState.DEAD):
        return _ended(maker, current)
    if state is ContainerState.RUNNING and want is RunState.PAUSED:
        return maker.step(StepKind.PAUSE, current, "wanted paused")
    if state is ContainerState.PAUSED and want is RunState.RUNNING:
        return maker.step(StepKind.UNPAUSE, current, "wanted running, is paused")
    if state is ContainerState.RUNNING:
        return health_wait(maker.service, current, subject=maker.subject)
    return None


def _keep_stopped(maker: Maker, current: Container, situation: Situation) -> Step | None:
    if current.state in ACTIVE:
        return maker.stop(current, "wanted stopped", lockless=situation.asked)
    if is_one_shot(maker.service) and current.state is ContainerState.EXITED:
        # An ended one-shot counts as completed as long as its container is there; removed, it
        # runs again when it is wanted again.
        return maker.remove(current, "wanted stopped; will run anew when wanted again")
    return None


def _ended(maker: Maker, current: Container) -> Step | Wait | None:
    if current.state is ContainerState.EXITED and is_one_shot(maker.service):
        if current.exit_code == 0:
            return None
        if rests_failed(maker.service, current):
            policy = maker.service.target.spec.restart.name
            return maker.wait(
                WaitReason.ENDED,
                f"ended{code_of(current)} and restart: {policy} lets it rest",
            )
    return maker.step(StepKind.HEAL, current, f"ended{code_of(current)}, wanted running")
