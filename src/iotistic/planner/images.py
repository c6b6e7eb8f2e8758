"""Images: which have to come before an app can change, and which may go.

A tag is resolved when it is pulled, and stays what it was for that release: that it moves later
is no difference, and the way back leads to the image that it meant, as long as that is here. An
image is removed only if this agent pulled it and nobody needs it; and then only for room, the
longest unneeded first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iotistic.model.observation import Image, Resources
from iotistic.model.release import StrategyKind
from iotistic.model.service import PullPolicy
from iotistic.planner import releases
from iotistic.planner.policy import Policy
from iotistic.planner.sight import Sight
from iotistic.planner.step import Step
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import StepKind, Subject


def subject_of(reference: str) -> Subject:
    """The subject of steps about an image, which belongs to no app."""
    return Subject(app_id=0, kind="image", name=reference)


def must_pull(service: WantedService, app: WantedApp, sight: Sight) -> bool:
    """Whether the service's image has to be pulled before its container is made."""
    if service.target.pull_policy is PullPolicy.NEVER:
        return False
    if service.image not in sight.images:
        return not made_by_id(service, app, sight)
    return may_refresh(service, app, sight)


def may_refresh(service: WantedService, app: WantedApp, sight: Sight) -> bool:
    """Whether an image that is here has to be asked for again, because its tag may have moved."""
    if service.target.spec.image.digest is not None:
        return False
    if service.target.pull_policy is PullPolicy.NEVER:
        return False
    good = releases.good_of(sight.world.releases, app.app_id)
    if good is None and service.target.pull_policy is not PullPolicy.ALWAYS:
        return False  # what was brought along with a device is as good as what would be pulled
    if releases.is_good(sight.world.releases, app):
        return False
    if service.target.pull_policy is not PullPolicy.ALWAYS and not app.release_given:
        return False
    failed = sight.attempt(subject_of(service.image), StepKind.PULL)
    if failed is not None:
        return False  # the registry does not answer, and what is here will do
    return pinned_id(service, app, sight) is None


def pinned_id(service: WantedService, app: WantedApp, sight: Sight) -> str | None:
    """The image id that the service's reference had when it was pulled for this release."""
    return sight.pins.get((app.app_id, service.image, app.release_hash))


def to_be_made_of(service: WantedService, app: WantedApp, sight: Sight) -> str | None:
    """The image id that the service's container has to have; None: any that its reference had.

    What is pinned counts as long as it is here, for then a container can be made of it, whatever
    the tag means by now. Raises NeedsResources.
    """
    pinned = pinned_id(service, app, sight)
    if pinned is None or all(c.image_id == pinned for c in sight.of_service(service)):
        return pinned
    return pinned if pinned in sight.seen_image_ids else None


def made_by_id(service: WantedService, app: WantedApp, sight: Sight) -> str:
    """The id to make the service's container by, since its tag has moved; "" to go by the tag.

    Raises NeedsResources.
    """
    pinned, now = pinned_id(service, app, sight), sight.images.get(service.image)
    if pinned is None or (now is not None and now.id == pinned):
        return ""
    return pinned if pinned in sight.seen_image_ids else ""


def first_for(service: WantedService, app: WantedApp, sight: Sight) -> Step:
    """What comes first for a service whose image has to come: room for it, or the pull."""
    if app.strategy.kind is StrategyKind.DELETE_THEN_DOWNLOAD and service.image not in sight.images:
        old = obsolete(service, app, sight)
        if old:
            return replace(old[0], service_name=service.name, owner=_owner(service))
    return pull(service, app, sight)


def pull(service: WantedService, app: WantedApp, sight: Sight) -> Step:
    """The step that brings the image of a service."""
    image = service.target.spec.image
    here = image.canonical in sight.images
    return Step(
        kind=StepKind.PULL,
        subject=subject_of(image.canonical),
        reason="a new release, the tag may have moved" if here else "image not here",
        target=image.canonical,
        service_name=service.name,
        image=image,
        platform=service.target.spec.platform or "",
        release_hash=app.release_hash,
        owner=_owner(service),
    )


def _owner(service: WantedService) -> Subject:
    return Subject(app_id=service.app_id, kind="service", name=service.key)


def obsolete(service: WantedService, app: WantedApp, sight: Sight) -> list[Step]:
    """For `delete-then-download`: the old images of the service's repository, to go first.

    Also that of the app's own last good release: there is no room for two.
    """
    resources = sight.resources
    wanted = {s.image for s in app.services} | sight.images_of_others(app.app_id)
    in_use = resources.images_in_use | {c.image_id for c in sight.containers}
    repository = service.target.spec.image.repository
    pulled = {p.image_id for p in sight.world.pulled}
    return [
        _removal(image, f"makes room for {service.image}")
        for image in sorted(resources.images, key=lambda image: image.id)
        if image.id in pulled
        and image.id not in in_use
        and image.references
        and not wanted & set(image.references)
        and all(_repository(reference) == repository for reference in image.references)
        and sight.attempt(subject_of(image.id), StepKind.REMOVE_IMAGE) is None
    ]


def collect(apps: Sequence[WantedApp], sight: Sight, policy: Policy) -> list[Step]:
    """Steps that remove what nobody needs, as far as room is short."""
    resources = sight.resources
    unneeded = _unneeded(apps, sight, resources)
    free = sight.world.host.disk_free_bytes
    lacking = 0 if free is None else max(0, policy.disk_floor_bytes - free)
    over = sum(image.size_bytes for image in unneeded) - policy.image_budget_bytes
    steps = []
    for image in unneeded:
        if lacking <= 0 and over <= 0:
            break
        reason = "disk is short" if lacking > 0 else "unneeded images are over their budget"
        steps.append(_removal(image, f"{reason}, nobody needs it"))
        lacking -= image.size_bytes
        over -= image.size_bytes
    return steps


def _unneeded(apps: Sequence[WantedApp], sight: Sight, resources: Resources) -> list[Image]:
    needed = {service.image for app in apps for service in app.services} | {*sight.world.pulling}
    moving = {_repository(reference) for reference in sight.world.pulling}
    kept = {sight.pins.get((a.app_id, s.image, a.release_hash)) for a in apps for s in a.services}
    in_use = kept | resources.images_in_use | {c.image_id for c in sight.containers}
    age = {p.image_id: p.at_ms for p in sorted(sight.world.pulled, key=lambda p: p.at_ms)}
    return sorted(
        (
            image
            for image in resources.images
            if image.id in age
            and image.id not in in_use
            and not needed & set(image.references)
            and not any(_repository(reference) in moving for reference in image.references)
            and subject_of(image.id) not in sight.world.in_flight
        ),
        key=lambda image: (age[image.id], image.id),
    )


def _removal(image: Image, reason: str) -> Step:
    return Step(
        kind=StepKind.REMOVE_IMAGE,
        subject=subject_of(image.id),
        reason=reason,
        target=image.id,
        name=min(image.references, default=""),
    )


def _repository(reference: str) -> str:
    name = reference.partition("@")[0]
    head, _, tail = name.rpartition(":")
    return head if head and "/" not in tail else name
