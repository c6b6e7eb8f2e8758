"""Plan and state as JSON, without anything that must not be shown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from iotistic.agent.api.rows import AppRow, Facts, ServiceRow
from iotistic.agent.api.views import (
    Json,
    error_json,
    is_settled,
    lock_json,
    next_of,
    verdict_json,
    verdict_of,
)
from iotistic.agent.store.records import StoredTarget
from iotistic.model.meanings import remedy_of_wait
from iotistic.model.target_secrets import hidden
from iotistic.planner import normalize
from iotistic.planner.compare import is_made_for, speaks_another_version
from iotistic.planner.step import Difference, Step, Wait
from iotistic.planner.wanted import WantedApp
from iotistic.planner.world import Subject

About = Callable[[Subject, str], Json]


def device_settled(facts: Facts) -> bool:
    """Everything is as the newest target wants it, and that is known."""
    snapshot = facts.snapshot
    return snapshot.engine_answers and snapshot.refusal is None and snapshot.plan.settled


def plan_json(facts: Facts) -> Json:
    """The last decision: what will be done, what is waited for, how each app stands."""
    snapshot = facts.snapshot
    about = naming(facts, facts.wanted.apps)
    return {
        "settled": device_settled(facts),
        "targetVersion": snapshot.target.version if snapshot.target else None,
        "decidedAt": snapshot.decided_at_ms,
        "round": snapshot.rounds,
        "askAgainInMs": facts.until_ms(snapshot.plan.ask_again_s),
        "apps": [_app(app, facts) for app in facts.apps],
        "steps": [step_json(step, about) for step in snapshot.plan.steps],
        "waits": [wait_json(wait, facts, about) for wait in snapshot.plan.waits],
        "engineError": error_json(snapshot.engine_error),
        "refusal": error_json(snapshot.refusal),
    }


def _app(app: AppRow, facts: Facts) -> Json:
    rejection = app.wanted.rejection if app.wanted else None
    return {
        **verdict_json(app, facts),
        "warnings": list(verdict_of(app, facts).warnings),
        "rejection": error_json(rejection),
        "locks": [lock_json(lock, facts) for lock in facts.locks_of(app.app_id)],
        "services": [_service(row, facts) for row in app.services],
    }


def _service(row: ServiceRow, facts: Facts) -> Json:
    planned, why, retry_in_ms = next_of(row, facts)
    return {
        "serviceId": row.service_id,
        "serviceName": row.service_name,
        "settled": is_settled(row, facts),
        "next": planned,
        "why": why,
        "retryInMs": retry_in_ms,
        "differences": [difference_json(d) for d in differences_of(row, facts)],
    }


def differences_of(row: ServiceRow, facts: Facts) -> tuple[Difference, ...]:
    """In what a service's container is not as wanted: by the planned step, or by its label."""
    if (step := facts.steps.get(row.subject)) is not None and step.differences:
        return step.differences
    service, found = row.wanted, row.container
    if service is None or found is None:
        return ()
    if speaks_another_version(found) or is_made_for(service, found):
        return ()
    return normalize.differences(service.form, found.spec_fields)


def naming(facts: Facts, apps: Iterable[WantedApp]) -> About:
    """How steps and waits name the service they are about: by `apps`, else by what runs."""
    ids = {
        (service.app_id, service.key): service.target.service_id
        for app in chain(facts.wanted.apps, apps)
        for service in app.services
    }
    names = {
        (row.app_id, str(row.service_id)): row.service_name
        for app in facts.apps
        for row in app.services
    }

    def about(subject: Subject, name: str) -> Json:
        if subject.kind != "service":
            return {"appId": subject.app_id, "serviceId": None, "serviceName": None}
        key = (subject.app_id, subject.name)
        return {
            "appId": subject.app_id,
            "serviceId": ids.get(key, subject.name),
            "serviceName": name or names.get(key, subject.name),
        }

    return about


def step_json(step: Step, about: About) -> Json:
    """One thing that is to be done, and why."""
    return {
        "kind": str(step.kind),
        **about(step.served, step.service_name),
        "subject": str(step.served),
        "reason": step.reason,
        "image": step.image.familiar if step.image else None,
        "release": step.release or None,
        "differences": [difference_json(difference) for difference in step.differences],
    }


def wait_json(wait: Wait, facts: Facts, about: About) -> Json:
    """Why nothing is done about something, until when, and what helps."""
    return {
        "reason": str(wait.reason),
        **about(wait.subject, wait.service_name),
        "subject": str(wait.subject),
        "message": wait.message,
        "inMs": facts.until_ms(wait.until_s),
        "remedy": remedy_of_wait(wait.reason, wait.subject.app_id, wait.service_name),
    }


def difference_json(difference: Difference) -> Json:
    """One field that is not as wanted; what is secret is masked already."""
    return {
        "field": difference.field,
        "wanted": difference.wanted,
        "found": difference.found,
    }


def target_json(target: StoredTarget) -> Json:
    """The target as it was accepted, its secrets masked."""
    return {
        **hidden({"apps": target.apps, "config": target.config}),
        "version": target.version,
        "target_epoch": target.epoch,
    }
