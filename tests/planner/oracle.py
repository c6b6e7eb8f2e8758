"""What is right, said a second time and without the planner: is it there, and may it be touched."""

from __future__ import annotations

from collections.abc import Iterator

from iotistic.model.observation import Container, Resources
from iotistic.model.release import StrategyKind
from iotistic.model.service import Condition, PullPolicy
from iotistic.model.words import ContainerState, RunState
from iotistic.planner.normalize import DEFAULT_OBJECT_HASH
from iotistic.planner.order import ACTIVE
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import Completed, IntentKind, Lock, LockOwner, World
from tests.planner.device import Device


def wanted_state(world: World, service: WantedService) -> RunState:
    """What is wanted of a service, by the target and by people."""
    for intent in world.intents:
        of = (intent.app_id, intent.service_id) == (service.app_id, service.key)
        holds = not intent.until_release or intent.purpose == service.spec_hash
        if of and holds and intent.kind is IntentKind.STOP:
            return RunState.STOPPED
    return service.target.state


def containers_of(world: World, service: WantedService) -> list[Container]:
    """Every container of a service."""
    return [
        c for c in world.containers if (c.app_id, c.service_id) == (service.app_id, service.key)
    ]


def is_one_shot(service: WantedService) -> bool:
    """Whether it may end and be done."""
    return service.target.spec.restart.name.value in ("no", "on-failure")


def is_completed(world: World, service: WantedService) -> bool:
    """Whether it is remembered to have ended well."""
    one = Completed(app_id=service.app_id, service_id=service.key, spec_hash=service.spec_hash)
    return one in world.completed


def pin(world: World, app: WantedApp, service: WantedService) -> str | None:
    """Which image its reference was when it was pulled for this release."""
    for pulled in world.pulled:
        at = (pulled.app_id, pulled.reference, pulled.release_hash)
        if at == (app.app_id, service.image, app.release_hash):
            return pulled.image_id
    return None


def differs(device: Device, world: World, app: WantedApp, container: Container) -> list[str]:
    """In what a container is not what its service is to be; empty: it is the one."""
    service = next(s for s in app.services if s.key == container.service_id)
    found = []
    if device.truly_for.get(container.id, container.spec_hash) != service.spec_hash:
        found.append("made for something else")
    if container.id in device.drifted:
        found.append("changed from outside")
    if not {j.network for j in service.request.networks} <= set(container.networks):
        found.append("not on its networks")
    pinned = pin(world, app, service)
    seen = world.resources or Resources()
    if pinned in {image.id for image in seen.images} and pinned != container.image_id:
        found.append("of another image")
    if host := service.shares_network_of:
        theirs = [c for c in world.containers if (c.app_id, c.service_name) == (app.app_id, host)]
        new = [c for c in theirs if (peer := app.service(host)) and _is_it(device, peer, c)]
        if container.network_mode not in ("", *(f"container:{c.id}" for c in new or theirs)):
            found.append("in the network of what is gone")
    return found


def remade_networks(world: World, app: WantedApp) -> set[str]:
    """The engine's names of networks that are there and not as the app wants them."""
    seen = {n.name: n.spec_hash for n in (world.resources or Resources()).networks}
    return {
        n.name
        for n in app.networks
        if n.request is not None
        and (label := seen.get(n.name, n.spec_hash) or DEFAULT_OBJECT_HASH) != n.spec_hash
        and label.startswith("1:")
    }


def unmet(device: Device) -> list[str]:
    """What is not as wanted; empty when the device is at its target."""
    return list(_unmet(device, device.world))


def _unmet(device: Device, world: World) -> Iterator[str]:
    if device.under_way:
        yield "steps are under way"
    apps = device.aimed_apps()
    for app in apps:
        yield from _unmet_app(device, world, app)
    known = {(s.app_id, s.key) for app in apps for s in app.services}
    for container in world.containers if device.want.may_remove else ():
        if (container.app_id, container.service_id) not in known:
            yield f"{container.id} belongs to nobody"
    for lock in world.locks:
        if lock.owner is LockOwner.AGENT:
            yield f"{lock.app_id} is locked by the agent"
    stopped = {
        (s.app_id, s.key)
        for app in apps
        for s in app.services
        if wanted_state(world, s) is RunState.STOPPED
    }
    for intent in world.intents:
        at_rest = (intent.app_id, intent.service_id) in stopped
        if intent.kind is IntentKind.PURGE or (intent.kind is IntentKind.RESTART and not at_rest):
            yield f"{intent.kind} is open"


def _unmet_app(device: Device, world: World, app: WantedApp) -> Iterator[str]:
    for service in app.services:
        yield from _unmet_of(device, world, app, service)
    needed = {
        joining.network
        for service in app.services
        if wanted_state(world, service) is not RunState.STOPPED
        for joining in service.request.networks
    }
    for name in sorted(remade_networks(world, app) & needed):
        yield f"network {name} is not as described"
    good = {g.release_hash for g in world.releases.good if g.app_id == app.app_id}
    if good != {app.release_hash}:
        yield f"release of {app.app_id} is not good yet"


def _unmet_of(
    device: Device, world: World, app: WantedApp, service: WantedService
) -> Iterator[str]:
    name = f"{service.app_id}/{service.key}"
    found = containers_of(world, service)
    state = wanted_state(world, service)
    if found and all(container.name != service.request.name for container in found):
        yield f"{name} is called {found[0].name}"
    if state is RunState.STOPPED:
        if any(c.state in ACTIVE for c in found):
            yield f"{name} runs and is to be stopped"
        ended = [c for c in found if c.state is ContainerState.EXITED]
        if is_one_shot(service) and any(not differs(device, world, app, c) for c in ended):
            yield f"{name} would count as done"
        return
    if not found and is_one_shot(service) and is_completed(world, service):
        return
    if len(found) != 1:
        yield f"{name} has {len(found)} containers"
        return
    container = found[0]
    yield from (f"{name} is {what}" for what in differs(device, world, app, container))
    ended_well = container.state is ContainerState.EXITED and container.exit_code == 0
    if is_one_shot(service) and (ended_well or is_completed(world, service)):
        return
    if container.state.value != state.value:
        yield f"{name} is {container.state} and is to be {state}"
    if container.state is ContainerState.RUNNING and container.health not in (None, "healthy"):
        yield f"{name} is {container.health}"


def why_touched(device: Device, world: World, container: Container) -> list[str]:
    """Every reason there is to stop, remove, pause or restart a container; empty: none."""
    app = next((a for a in device.aimed_apps() if a.app_id == container.app_id), None)
    purged = any(i.kind is IntentKind.PURGE and i.app_id == container.app_id for i in world.intents)
    if purged:
        return ["purge"]
    if app is None:
        return ["its app is not wanted"] if device.want.may_remove else []
    service = next((s for s in app.services if s.key == container.service_id), None)
    if service is None:
        return ["its service is not wanted"] if device.want.may_remove else []
    reasons = differs(device, world, app, container)
    if wanted_state(world, service) is not RunState.RUNNING:
        reasons.append("not to run")
    if len(containers_of(world, service)) > 1:
        reasons.append("there is another one")
    done = is_one_shot(service) and container.exit_code == 0
    if container.state is ContainerState.DEAD or (
        container.state is ContainerState.EXITED and not done
    ):
        reasons.append("it ended")
    if set(container.networks) & remade_networks(world, app):
        reasons.append("its network is made anew")
    if any(i.container_id == container.id for i in world.intents):
        reasons.append("restart")
    for dependency in service.depends_on:
        if not (dependency.restart or dependency.service == service.shares_network_of):
            continue
        other = app.service(dependency.service)
        current = containers_of(world, other) if other is not None else []
        if not current or any(set(why_touched(device, world, c)) - {"not to run"} for c in current):
            reasons.append(f"{dependency.service} is made anew")
    return reasons


def images_to_come(device: Device, world: World, app: WantedApp) -> set[str]:
    """The images an app still needs that are not here and may be pulled."""
    here = {r for i in (world.resources or Resources()).images for r in i.references}
    return {
        s.image
        for s in app.services
        if wanted_state(world, s) is not RunState.STOPPED
        and s.target.pull_policy is not PullPolicy.NEVER
        and not any(
            _is_it(device, s, c) and c.id not in device.drifted for c in containers_of(world, s)
        )
        and not is_completed(world, s)
        and s.image not in here
    }


def condition_holds(device: Device, world: World, app: WantedApp, service: WantedService) -> str:
    """Which dependency is not as it has to be for the service to start; empty: all are."""
    for dependency in service.depends_on:
        other = app.service(dependency.service)
        if other is None:
            continue
        found = [c for c in containers_of(world, other) if _is_it(device, other, c)]
        done = is_completed(world, other) or any(
            c.state is ContainerState.EXITED and c.exit_code == 0 and is_one_shot(other)
            for c in found
        )
        match dependency.condition:
            case Condition.COMPLETED:
                holds = done
            case Condition.HEALTHY:
                holds = any(c.health == "healthy" and c.state in ACTIVE for c in found)
            case _:
                holds = done or any(c.state in ACTIVE for c in found)
        if not holds and dependency.required:
            return f"{dependency.service} is not {dependency.condition}"
    return ""


def _is_it(device: Device, service: WantedService, container: Container) -> bool:
    return device.truly_for.get(container.id, container.spec_hash) == service.spec_hash


def downloads_first(app: WantedApp) -> bool:
    """Whether nothing of the app is stopped before its images are here."""
    return app.strategy.kind in (StrategyKind.DOWNLOAD_THEN_KILL, StrategyKind.HAND_OVER)


def foreign_lock(world: World, app_id: int) -> Lock | None:
    """A lock of somebody else that is in force."""
    return next(
        (
            lock
            for lock in world.locks
            if lock.app_id == app_id
            and lock.owner is not LockOwner.AGENT
            and (lock.until_s is None or lock.until_s > world.now_s)
        ),
        None,
    )


def own_lock(world: World, app_id: int) -> bool:
    """Whether the agent holds the app's lock."""
    return any(lock.app_id == app_id and lock.owner is LockOwner.AGENT for lock in world.locks)
