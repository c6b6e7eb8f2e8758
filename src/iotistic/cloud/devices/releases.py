"""What a report says of releases: shown as it came, and heard where one was rejected (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.model.release import ReleasePhase

REJECTIONS_MAX = 10
"""How many of one report are told: a device that is not itself must not flood the audit log."""
_TEXT_LENGTH_MAX = 300
_TAKEN_BACK = frozenset({ReleasePhase.REJECTED, ReleasePhase.ROLLED_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A device took a release of an app back."""

    app_id: str
    release: str
    phase: str
    reason: str

    def details(self) -> dict[str, str]:
        """For the audit log."""
        return {
            "app": self.app_id,
            "release": self.release,
            "phase": self.phase,
            "reason": self.reason,
        }


def releases_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The release of each app by its id, `{id, phase, reason, since}`; what else it says stays."""
    return _by_app(document, "release")


def plans_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is done next for each app, by its id, and what is waited for."""
    return _by_app(document, "plan")


def _by_app(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def new_rejections(
    held: Mapping[str, Any] | None, document: Mapping[str, Any]
) -> tuple[Rejection, ...]:
    """Releases that are rejected now and were not in the report before."""
    before = {(one.app_id, one.release) for one in _rejections(held or {})}
    new = [one for one in _rejections(document) if (one.app_id, one.release) not in before]
    return tuple(new[:REJECTIONS_MAX])


def _rejections(document: Mapping[str, Any]) -> Iterator[Rejection]:
    for app_id, release in releases_of(document).items():
        if isinstance(release, Mapping) and _text(release.get("phase")) in _TAKEN_BACK:
            yield Rejection(
                app_id=app_id[:_TEXT_LENGTH_MAX],
                release=_text(release.get("id")),
                phase=_text(release.get("phase")),
                reason=_text(release.get("reason")),
            )


def _text(value: object) -> str:
    return str(value)[:_TEXT_LENGTH_MAX] if isinstance(value, str | int) else ""
