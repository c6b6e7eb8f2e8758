"""What would happen if a target were applied, as JSON. Pure; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iotistic.agent.api.downtime import Interruption, Took, interruptions
from iotistic.agent.api.plan_views import naming, step_json, wait_json
from iotistic.agent.api.risks import Risk, risks
from iotistic.agent.api.rows import Facts
from iotistic.agent.api.views import Json, error_json
from iotistic.model.errors import IotisticError
from iotistic.model.image import ImageRef
from iotistic.model.meanings import meaning, remedy_of
from iotistic.model.observation import Image, Resources
from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict
from iotistic.planner import releases
from iotistic.planner.foresight import Foreseen
from iotistic.planner.step import AppVerdict, Step
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import StepKind, World

STEPS_MAX = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A question and what the planner answered.

    `wanted` is the target in question as this device would make it, `version` its version,
    `is_held` whether it is the one that is held anyway. `refusal`: it would not be accepted.
    `kept_free_bytes` is the room on disk below which nothing is pulled.
    """

    world: World
    wanted: Wanted
    foreseen: Foreseen
    version: int | None
    is_held: bool
    kept_free_bytes: int
    refusal: IotisticError | None = None
    warnings: Sequence[str] = ()


def what_if_json(asked: WhatIf, facts: Facts, took: Took) -> Json:
    """The whole course: steps in their order, and what they cost."""
    foreseen, wanted = asked.foreseen, asked.wanted
    about = naming(facts, wanted.apps)
    shown, rounds = 0, []
    for steps in foreseen.rounds:
        if shown >= STEPS_MAX:
            break
        rounds.append([step_json(step, about) for step in steps[: STEPS_MAX - shown]])
        shown += len(rounds[-1])
    downloads = pulls(foreseen, asked.world.resources or Resources())
    return {
        "targetVersion": asked.version,
        "isHeld": asked.is_held,
        "refusal": error_json(asked.refusal),
        "settles": foreseen.last.settled,
        "steps": len(foreseen.steps),
        "stepsLeftOut": len(foreseen.steps) - shown,
        "rounds": rounds,
        "interruptions": [_interruption(i) for i in interruptions(foreseen, wanted, took)],
        "pull": _pull(downloads),
        "disk": _disk(downloads, asked),
        "risks": [_risk(risk) for risk in risks(asked.world, wanted, foreseen)],
        "rejections": [
            {"appId": app.app_id, "appName": app.app_name, **(error_json(app.rejection) or {})}
            for app in wanted.apps
            if app.rejection is not None
        ],
        "warnings": list(asked.warnings),
        "waits": [wait_json(wait, facts, about) for wait in foreseen.last.waits],
        "apps": _apps(asked),
    }


def _apps(asked: WhatIf) -> list[Json]:
    names = {app.app_id: app.app_name for app in asked.wanted.apps}
    counts: dict[int, int] = {}
    for step in asked.foreseen.steps:
        counts[step.served.app_id] = counts.get(step.served.app_id, 0) + 1
    verdicts = dict(asked.foreseen.last.verdicts)
    for app_id in counts.keys() - verdicts.keys():
        if app_id:
            # Nothing of it is left at the end, as the target wants it.
            verdicts[app_id] = AppVerdict(verdict=Verdict.SETTLED, phase=ReleasePhase.DONE)
    return [
        {
            "appId": app_id,
            "appName": names.get(app_id, ""),
            "verdict": str(found.verdict),
            "meaning": meaning(found.verdict, found.phase),
            "reason": found.reason,
            "remedy": remedy_of(found.verdict, found.phase, app_id),
            "release": found.release or None,
            "releaseNow": _release_now(asked.world, app_id),
            "steps": counts.get(app_id, 0),
            "goes": app_id not in names,
        }
        for app_id, found in sorted(verdicts.items())
    ]


def _release_now(world: World, app_id: int) -> str | None:
    good = releases.good_of(world.releases, app_id)
    return good.release if good else None


def _interruption(found: Interruption) -> Json:
    return {
        "appId": found.app_id,
        "serviceName": found.service_name,
        "times": found.times,
        "forGood": found.for_good,
        "lastsMs": None if found.lasts_s is None else round(found.lasts_s * 1000),
        "measured": found.measured,
        "notes": list(found.notes),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One image that would be pulled. `size_bytes` is on disk; None: nothing is known of it.

    `like` is the image that is here and that the size is taken from.
    """

    image: ImageRef
    service_name: str
    app_id: int
    size_bytes: int | None = None
    like: str = ""


def pulls(foreseen: Foreseen, resources: Resources) -> tuple[Download, ...]:
    """Every image that would be pulled, once, with its likely size.

    A registry says how large an image is only while it is pulled; what is here of the same
    repository is mostly about as large.
    """
    found: dict[str, Download] = {}
    for step in foreseen.steps:
        if step.kind is StepKind.PULL and step.image is not None:
            found.setdefault(step.target, _download(step, step.image, resources.images))
    return tuple(found.values())


def _download(step: Step, image: ImageRef, here: Iterable[Image]) -> Download:
    like = max(
        (
            (
                reference == image.canonical,
                one.created_s,
                one.size_bytes,
                "@" not in reference,
                reference,
            )
            for one in here
            for reference in one.references
            if one.size_bytes > 0 and _repository(reference) == image.repository
        ),
        default=None,
    )
    return Download(
        image=image,
        service_name=step.service_name,
        app_id=step.served.app_id,
        size_bytes=like[2] if like else None,
        like=like[4] if like else "",
    )


def _repository(reference: str) -> str:
    name = reference.partition("@")[0]
    head, _, tail = name.rpartition(":")
    return head if head and "/" not in tail else name


def _pull(downloads: Sequence[Download]) -> Json:
    known = [d.size_bytes for d in downloads if d.size_bytes is not None]
    return {
        "images": [
            {
                "image": download.image.familiar,
                "appId": download.app_id,
                "serviceName": download.service_name,
                "bytes": download.size_bytes,
                "like": download.like or None,
            }
            for download in downloads
        ],
        "bytes": sum(known),
        "unknown": len(downloads) - len(known),
    }


def _disk(downloads: Sequence[Download], asked: WhatIf) -> Json:
    free = asked.world.host.disk_free_bytes
    needed = sum(d.size_bytes or 0 for d in downloads)
    all_known = all(d.size_bytes is not None for d in downloads)
    enough = None
    if free is not None:
        fits = free - needed >= asked.kept_free_bytes
        # Too little for what is known is too little; enough for it says nothing of the rest.
        enough = fits if all_known or not fits else None
    return {
        "freeBytes": free,
        "neededBytes": needed,
        "keptFreeBytes": asked.kept_free_bytes,
        "enough": enough,
    }


def _risk(risk: Risk) -> Json:
    return {
        "code": risk.code,
        "appId": risk.app_id,
        "serviceName": risk.service_name or None,
        "message": risk.message,
        "remedy": risk.remedy or None,
    }
