"""Whether a container is the one that the target describes, and if not, in what it differs.

Three layers, from cheap to close: the hash of the intent on its label; what the listing shows of
networks and image; and field by field, by what a close look found. A label that another version
of the agent wrote says nothing about a difference: then the close look decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from iotistic.model.observation import Container
from iotistic.planner import normalize
from iotistic.planner.wanted import WantedService
from iotistic.planner.world import CloseLook, Difference


class NeedsInspection(Exception):
    """The decision depends on a close look at a container."""

    def __init__(self, container_id: str) -> None:
        super().__init__(container_id)
        self.container_id = container_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Why a container has to be replaced.

    `shaken`: not for its specification, but for what it hangs on or what was done to it. Then
    nothing would tell its successor from it.
    """

    reason: str
    differences: tuple[Difference, ...] = ()
    shaken: bool = False


class _Known(Protocol):
    @property
    def look(self) -> CloseLook | None: ...
    @property
    def network_mode(self) -> str | None: ...
    @property
    def image_id(self) -> str | None: ...
    @property
    def shakes(self) -> str: ...


def is_made_for(service: WantedService, container: Container) -> bool:
    """Whether the label says that the container was made for this very specification."""
    return container.spec_hash == service.spec_hash


def speaks_another_version(container: Container) -> bool:
    """Whether the label's hash cannot be compared with ours."""
    label = container.spec_hash
    return label is None or normalize.hash_version(label) != normalize.HASH_VERSION


def change_of(service: WantedService, current: Container, known: _Known) -> Change | None:
    """What makes the container another one than the target describes; None: it is that one."""
    look = known.look if known.look and known.look.compared_with == service.spec_hash else None
    if speaks_another_version(current):
        if look is None:
            raise NeedsInspection(current.id)
    elif not is_made_for(service, current):
        fields = normalize.differences(service.form, current.spec_fields)
        return Change(reason=f"{_names(fields) or 'its specification'} changed", differences=fields)
    if look is not None and look.differences:
        return Change(
            reason=f"{_names(look.differences)} changed from outside",
            differences=look.differences,
            shaken=True,
        )
    return _outer_change(service, current, known)


def _outer_change(service: WantedService, current: Container, known: _Known) -> Change | None:
    joined = {joining.network for joining in service.request.networks}
    if lost := sorted(joined - set(current.networks)):
        difference = Difference(
            field="networks", wanted=", ".join(sorted(joined)), found=", ".join(current.networks)
        )
        return Change(
            reason=f"not joined to network {lost[0]}", differences=(difference,), shaken=True
        )
    mode = known.network_mode
    if service.shares_network_of and mode and current.network_mode not in ("", mode):
        difference = Difference(field="network_mode", wanted=mode, found=current.network_mode)
        return Change(
            reason=f"{service.shares_network_of}, whose network it shares, was made anew",
            differences=(difference,),
            shaken=True,
        )
    if known.image_id and current.image_id != known.image_id:
        difference = Difference(
            field="image", wanted=known.image_id[:19], found=current.image_id[:19]
        )
        return Change(reason=f"{service.image} is another image now", differences=(difference,))
    if known.shakes:
        return Change(reason=known.shakes, shaken=True)
    return None


def _names(fields: tuple[Difference, ...]) -> str:
    return ", ".join(field.field for field in fields[:5])
