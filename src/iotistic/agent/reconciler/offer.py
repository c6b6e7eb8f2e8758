"""Whether an offered target is taken. Pure: what is held, what is offered, yes or why not."""

from __future__ import annotations

from iotistic.agent.store.records import StoredTarget
from iotistic.model.errors import Refused
from iotistic.model.target import TargetState


class TargetWentBack(Refused):
    """The cloud offers an older target than the one held: a restored backup, or a mistake."""

    code: str = "target-went-back"


def is_no_opinion(offered: TargetState) -> bool:
    """A cloud that was never told what should run says nothing about what should not."""
    return offered.version is None and not offered.apps


def judge(held: StoredTarget | None, offered: TargetState) -> None:
    """Raise `TargetWentBack` for a target that is older than the one held.

    A change of the target's epoch is an operator's confirmation that versions start afresh.
    """
    if held is None or held.version is None or offered.version is None:
        return
    if offered.version < held.version and offered.epoch == held.epoch:
        raise TargetWentBack(
            f"target version {offered.version} is older than {held.version}, which is held",
            remedy="if that is meant, confirm it: iotctl fleet target set DEVICE FILE --new-epoch",
        )
