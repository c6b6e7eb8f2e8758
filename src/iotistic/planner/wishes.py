"""What the store should remember after a look: wishes still open, one-shots that ended well."""

from __future__ import annotations

from iotistic.model.words import RunState
from iotistic.planner import order, releases
from iotistic.planner.compare import is_made_for
from iotistic.planner.sight import Sight
from iotistic.planner.wanted import NOTHING_WANTED, Wanted
from iotistic.planner.world import Completed, Intent, IntentKind, World


def fulfilled(world: World, wanted: Wanted) -> tuple[Intent, ...]:
    """Wishes that are done, or that ended because the target now wants something else.

    Without a target (it may come again: the stored one could not be read) nothing says that a
    service is not wanted any more, and what a person asked of it stays.
    """
    aimed = releases.aimed(wanted, world.releases)
    services = {(s.app_id, s.key): s for app in aimed.apps for s in app.services}
    containers = {c.id for c in world.containers}
    done = []
    for intent in world.intents:
        wanted_service = services.get((intent.app_id, intent.service_id))
        gone = wanted_service is None and wanted != NOTHING_WANTED
        if intent.kind is IntentKind.RESTART:
            ended = gone or intent.container_id not in containers
        elif intent.kind is IntentKind.STOP:
            ended = gone or (
                wanted_service is not None
                and intent.until_release
                and intent.purpose != wanted_service.spec_hash
            )
        else:
            ended = (
                world.resources is not None
                and world.resources_fresh
                and not any(c.app_id == intent.app_id for c in world.containers)
                and not any(v.app_id == intent.app_id for v in world.resources.volumes)
            )
        if ended:
            done.append(intent)
    return tuple(done)


def completed(world: World, wanted: Wanted) -> frozenset[Completed]:
    """The one-shots to be remembered as done, so that they do not run again without a container.

    One that is wanted stopped, purged or restarted is to run again; and so is another
    specification of it.
    """
    if wanted == NOTHING_WANTED:
        return world.completed
    sight = Sight(world)
    aimed = releases.aimed(wanted, world.releases)
    kept = set()
    for app in (*aimed.apps, *wanted.good.values()):
        if sight.is_purged(app.app_id):
            continue
        for service in app.services:
            stopped = service.target.state is RunState.STOPPED or sight.stop_of(service)
            if stopped or sight.restart_of(service) or not order.is_one_shot(service):
                continue
            one = Completed(
                app_id=service.app_id, service_id=service.key, spec_hash=service.spec_hash
            )
            # What another version of the agent made was perhaps made for something else, and that
            # it ended well says nothing of what is wanted now.
            is_done = any(
                is_made_for(service, container) and order.is_done(service, container)
                for container in sight.of_service(service)
            )
            if is_done or one in world.completed:
                kept.add(one)
    return frozenset(kept)
