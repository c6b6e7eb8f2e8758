"""Which container stands for a service, which one it takes over from, and which are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iotistic.model.observation import Container
from iotistic.model.release import Strategy, StrategyKind
from iotistic.model.words import ContainerState
from iotistic.planner.compare import is_made_for, speaks_another_version
from iotistic.planner.order import ACTIVE
from iotistic.planner.wanted import WantedService


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """`current` stands for the service; `old` serves on beside it until it has taken over."""

    current: Container | None = None
    old: Container | None = None
    duplicates: tuple[Container, ...] = ()
    is_wanted_one: bool = False
    """`current` was made for what is wanted now."""


def pair(
    service: WantedService,
    containers: Sequence[Container],
    strategy: Strategy,
    image_id: str | None = None,
) -> Pair:
    """Sort out the containers of a service.

    The one made for this very specification before others, a running one before others, then the
    newest; the id decides between equals, so that every round chooses alike. `image_id` is what
    it has to be made of, if that is known.
    """

    def is_it(container: Container) -> bool:
        return is_made_for(service, container) and image_id in (None, container.image_id)

    ranked = sorted(containers, key=lambda c: (is_it(c), *_rank(service, c)), reverse=True)
    if not ranked:
        return Pair()
    current, *others = ranked
    is_wanted_one = is_it(current) or speaks_another_version(current)
    old = None
    if strategy.kind is StrategyKind.HAND_OVER and others and is_wanted_one:
        old = next((c for c in others if not is_it(c)), None)
    return Pair(
        current=current,
        old=old,
        duplicates=tuple(c for c in others if c is not old),
        is_wanted_one=is_wanted_one,
    )


def is_newer(one: Container, other: Container) -> bool:
    """Whether a container was made after another one."""
    return (one.created_s, one.id) > (other.created_s, other.id)


def _rank(
    service: WantedService, container: Container
) -> tuple[bool, bool, bool, bool, float, str]:
    joined = {joining.network for joining in service.request.networks}
    return (
        is_made_for(service, container),
        container.state is ContainerState.RUNNING,
        container.state in ACTIVE,
        # A copy with forged labels is no reason to stop what is really as wanted.
        joined <= set(container.networks),
        container.created_s,
        container.id,
    )
