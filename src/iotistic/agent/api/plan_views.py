"""Plan and state as JSON, without anything that must not be shown. Pure."""

from __future__ import annotations

from iotistic.agent.api.rows import Facts
from iotistic.agent.api.views import Json, error_json, is_settled, verdict_json
from iotistic.agent.logs.redaction import masked
from iotistic.agent.store.records import StoredTarget
from iotistic.planner.step import Difference, Step, Wait
from iotistic.planner.world import Subject


def device_settled(facts: Facts) -> bool:
    """Everything is as the newest target wants it, and that is known."""
    snapshot = facts.snapshot
    return snapshot.engine_answers and snapshot.refusal is None and snapshot.plan.settled


def plan_json(facts: Facts) -> Json:
    """The last decision: what will be done, what is waited for, how each app stands."""
    snapshot = facts.snapshot
    ids = {
        (service.app_id, service.key): service.target.service_id
        for app in facts.wanted.apps
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

    def step_json(step: Step) -> Json:
        return {
            "kind": str(step.kind),
            **about(step.served, step.service_name),
            "subject": str(step.served),
            "reason": step.reason,
            "image": step.image.familiar if step.image else None,
            "differences": [_difference(difference) for difference in step.differences],
        }

    def wait_json(wait: Wait) -> Json:
        return {
            "reason": str(wait.reason),
            **about(wait.subject, wait.service_name),
            "subject": str(wait.subject),
            "message": wait.message,
            "inMs": facts.until_ms(wait.until_s),
        }

    return {
        "settled": device_settled(facts),
        "targetVersion": snapshot.target.version if snapshot.target else None,
        "decidedAt": snapshot.decided_at_ms,
        "round": snapshot.rounds,
        "askAgainInMs": facts.until_ms(snapshot.plan.ask_again_s),
        "apps": [
            {
                **verdict_json(app, facts),
                "services": [
                    {
                        "serviceId": row.service_id,
                        "serviceName": row.service_name,
                        "settled": is_settled(row, facts),
                    }
                    for row in app.services
                ],
            }
            for app in facts.apps
        ],
        "steps": [step_json(step) for step in snapshot.plan.steps],
        "waits": [wait_json(wait) for wait in snapshot.plan.waits],
        "engineError": error_json(snapshot.engine_error),
        "refusal": error_json(snapshot.refusal),
    }


def _difference(difference: Difference) -> Json:
    return {
        "field": difference.field,
        "wanted": difference.wanted,
        "found": difference.found,
    }


def target_json(target: StoredTarget) -> Json:
    """The target as it was accepted, environment values and what sounds secret masked."""
    return {
        "apps": masked(target.apps),
        "config": masked(target.config),
        "version": target.version,
        "target_epoch": target.epoch,
    }
