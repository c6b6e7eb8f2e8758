"""Why an app or a service is as it is, as JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from iotistic.agent.api.plan_views import About, differences_of, naming, step_json, wait_json
from iotistic.agent.api.plan_views import difference_json as difference
from iotistic.agent.api.rows import AppRow, Facts, ServiceRow
from iotistic.agent.api.views import (
    Json,
    error_json,
    lock_json,
    service_json,
    verdict_json,
    verdict_of,
)
from iotistic.agent.store.records import JournalEntry
from iotistic.agent.sync.service_rows import crash_loop, port_text
from iotistic.planner import images
from iotistic.planner.world import (
    Attempt,
    Candidate,
    GoodRelease,
    Rejection,
    Releases,
    StepKind,
    Subject,
)

PORT_TAKEN = "port-allocated"
_DESCRIBED = ("step", "why", "by", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told beside the facts: the journal, newest first, and what services wrote last.

    `last_words` gives the lines that the ended container of a service had written.
    """

    journal: Sequence[JournalEntry] = ()
    last_words: Callable[[Subject], Sequence[str]] = field(default=lambda _: ())


def explain_json(app: AppRow, row: ServiceRow | None, facts: Facts, told: Told) -> Json:
    """Why an app is as it is; with `row` only what concerns that service, and the app's release."""
    rows = app.services if row is None else (row,)
    about = naming(facts, facts.wanted.apps)
    concerned = {r.subject for r in rows}
    everything = row is None

    def concerns(subject: Subject) -> bool:
        of_app = subject.app_id == app.app_id
        return subject in concerned or (of_app and (everything or subject.kind == "app"))

    plan = facts.snapshot.plan
    rejection = app.wanted.rejection if app.wanted else None
    return {
        **verdict_json(app, facts),
        "warnings": list(verdict_of(app, facts).warnings),
        "rejection": error_json(rejection),
        "engineError": error_json(facts.snapshot.engine_error),
        "refusal": error_json(facts.snapshot.refusal),
        "steps": [step_json(s, about) for s in plan.steps if concerns(s.served)],
        "waits": [wait_json(w, facts, about) for w in plan.waits if concerns(w.subject)],
        "locks": [lock_json(lock, facts) for lock in facts.locks_of(app.app_id)],
        "services": [_service(r, facts, told) for r in rows],
        "failures": [
            _attempt(a, facts)
            for a in facts.snapshot.attempts
            if everything and a.subject.app_id == app.app_id and a.subject.kind != "service"
        ],
        "releases": _releases(app, facts),
        "journal": [entry_json(entry, about) for entry in told.journal],
    }


def _service(row: ServiceRow, facts: Facts, told: Told) -> Json:
    failures = [a for a in facts.snapshot.attempts if a.subject in _subjects(row)]
    crashes = crash_loop(failures, now_s=facts.now_s)
    return {
        **service_json(row, facts),
        "differences": [difference(d) for d in differences_of(row, facts)],
        "failures": [_attempt(a, facts) for a in failures],
        "crashLoop": None if crashes is None else _crash_loop(crashes, facts),
        "portOwner": _port_owner(row, failures, facts),
        "lastWords": list(told.last_words(row.subject)),
    }


def _subjects(row: ServiceRow) -> frozenset[Subject]:
    """What its failures may be about: itself, or its image, which belongs to no app."""
    if row.wanted is None:
        return frozenset({row.subject})
    return frozenset({row.subject, images.subject_of(row.wanted.image)})


def _attempt(attempt: Attempt, facts: Facts) -> Json:
    return {
        "step": str(attempt.step),
        "subject": str(attempt.subject),
        "count": attempt.count,
        "code": attempt.code,
        "message": attempt.message,
        "failedAt": attempt.failed_at_ms or None,
        "nextRetryAt": facts.wall_at_ms(attempt.not_before_s),
        "retryInMs": facts.until_ms(attempt.not_before_s),
    }


def _crash_loop(attempt: Attempt, facts: Facts) -> Json:
    return {
        "count": attempt.count,
        "message": attempt.message,
        "lastAt": attempt.failed_at_ms or None,
        "retryInMs": facts.until_ms(attempt.not_before_s),
    }


def _port_owner(row: ServiceRow, failures: Iterable[Attempt], facts: Facts) -> Json | None:
    """Who has the port that the service could not get, as far as that is known."""
    refused = [a for a in failures if a.code == PORT_TAKEN and a.step is not StepKind.HEAL]
    if not refused or row.wanted is None:
        return None
    ports = row.wanted.target.spec.ports
    wants = {(port.host, port.protocol) for port in ports if port.host is not None}
    rivals = [
        f"{service.app_id}/{service.name}"
        for app in facts.wanted.apps
        for service in app.services
        if (service.app_id, service.key) != (row.app_id, row.wanted.key)
        and wants & {(p.host, p.protocol) for p in service.target.spec.ports}
    ]
    return {
        "ports": [port_text(port) for port in ports if port.host is not None],
        "message": refused[0].message,
        "services": rivals,
    }


def _releases(app: AppRow, facts: Facts) -> Json:
    known, app_id = facts.snapshot.releases, app.app_id
    found = verdict_of(app, facts)
    good = next((g for g in known.good if g.app_id == app_id), None)
    candidate = next((c for c in known.candidates if c.app_id == app_id), None)
    return {
        "wanted": None if not found.release else {"id": found.release, "phase": str(found.phase)},
        "good": None if good is None else _good(good),
        "candidate": None if candidate is None else _candidate(candidate, facts),
        "rejected": [_rejection(r) for r in rejected_of(known, app_id)],
    }


def rejected_of(known: Releases, app_id: int) -> list[Rejection]:
    """The releases of an app that were taken back, newest first."""
    return [r for r in reversed(known.rejected) if r.app_id == app_id]


def _good(good: GoodRelease) -> Json:
    return {"id": good.release, "at": good.at_ms or None}


def _candidate(candidate: Candidate, facts: Facts) -> Json:
    return {
        "id": candidate.release,
        "began": candidate.began_ms or None,
        "deadlineAt": facts.wall_at_ms(candidate.deadline_s),
        "remainingMs": facts.until_ms(candidate.deadline_s),
    }


def _rejection(rejection: Rejection) -> Json:
    return {
        "id": rejection.release,
        "reason": rejection.reason,
        "serviceName": rejection.service_name or None,
        "lastWords": list(rejection.last_words),
        "at": rejection.at_ms or None,
    }


def entry_json(entry: JournalEntry, about: About) -> Json:
    """One entry of the journal."""
    detail: Mapping[str, object] = entry.detail
    named = (
        about(Subject(app_id=entry.app_id, kind="service", name=entry.service_id), "")
        if entry.service_id
        else {"serviceId": None}
    )
    differences = detail.get("differences")
    return {
        "at": entry.at_ms,
        "event": str(entry.event),
        "serviceId": named["serviceId"],
        "serviceName": entry.service_name or None,
        "release": entry.release or None,
        "reason": entry.reason,
        "differences": differences if isinstance(differences, list) else [],
        "tookMs": detail.get("tookMs"),
        **{name: detail.get(name) for name in _DESCRIBED},
    }
