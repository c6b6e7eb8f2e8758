"""What holds of every plan, from every world."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iotistic.model.target import TargetState
from iotistic.model.words import ContainerState, Verdict, WaitReason
from iotistic.planner.foresight import after
from iotistic.planner.plan import plan
from iotistic.planner.step import Step
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Intent, IntentKind, StepKind, World
from tests.planner.builders import targets, wanted
from tests.planner.worlds import rounds, services, target_states, worlds

DISRUPTIVE = (
    StepKind.STOP, StepKind.REMOVE, StepKind.HEAL, StepKind.RESTART, StepKind.PAUSE,
)  # fmt: skip


def at_rest(world: World, want: Wanted) -> bool:
    """Nothing planned, and nothing waited for but services that may rest."""
    decided = plan(world, want)
    return not decided.steps and all(w.reason is WaitReason.ENDED for w in decided.waits)


@given(worlds(), target_states())
def test_from_any_world_a_fair_engine_reaches_the_target_in_bounded_rounds(
    seen: World, state: TargetState
) -> None:
    want = wanted(state)
    end, plans = rounds(seen, want)
    assert at_rest(end, want)
    assert len(plans) <= 16 + 3 * len(seen.containers)


@given(worlds(), target_states())
def test_at_the_target_no_later_round_does_anything(seen: World, state: TargetState) -> None:
    want = wanted(state)
    end, _ = rounds(seen, want)
    for later_s in (0.0, 1.0, 10_000.0):
        assert at_rest(replace(end, now_s=end.now_s + later_s), want)


@given(worlds(), target_states())
def test_at_the_target_one_listing_is_all_the_planner_needs(
    seen: World, state: TargetState
) -> None:
    want = wanted(state)
    end, _ = rounds(seen, want)
    decided = plan(replace(end, resources_fresh=False), want)
    assert not decided.needs_resources
    assert not decided.steps


@given(worlds(), target_states(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_listed_changes_nothing(
    seen: World, state: TargetState, rng: random.Random
) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rng.sample(items, len(items)))

    assert seen.resources is not None
    mixed = replace(
        seen,
        containers=shuffled(seen.containers),
        resources=replace(
            seen.resources,
            images=shuffled(seen.resources.images),
            networks=shuffled(seen.resources.networks),
            volumes=shuffled(seen.resources.volumes),
        ),
    )
    assert repr(plan(mixed, wanted(state))) == repr(plan(seen, wanted(state)))


@given(worlds(), target_states())
def test_a_service_gets_at_most_one_step_a_round(seen: World, state: TargetState) -> None:
    subjects = [step.subject for step in plan(seen, wanted(state)).steps]
    assert len(subjects) == len(set(subjects))


@given(worlds(), target_states(), st.data())
def test_a_service_that_is_as_wanted_is_left_alone(
    seen: World, state: TargetState, data: st.DataObject
) -> None:
    want = wanted(state)
    settled, _ = rounds(seen, want)
    others = data.draw(services(names=("x", "y", "z")))
    wider = targets({3: others, **{app.app_id: _as_wire(app) for app in state.apps}}, version=2)
    running = {c.id for c in settled.containers}
    touched: set[str] = set()
    world = settled
    for decided in rounds(settled, wanted(wider))[1]:
        touched |= {s.target for s in decided.steps if s.kind in DISRUPTIVE}
        for step in decided.steps:
            world = after(world, step)
    assert not touched & running


@given(worlds(), target_states())
def test_nothing_that_runs_is_stopped_before_its_apps_images_are_here(
    seen: World, state: TargetState
) -> None:
    want = wanted(state)
    assert seen.resources is not None
    here = {ref for image in seen.resources.images for ref in image.references}
    made = {(c.app_id, c.service_id, c.spec_hash) for c in seen.containers}
    replaced = {
        (s.app_id, s.key): {
            o.image
            for o in app.services
            if o.target.state.value != "stopped" and (o.app_id, o.key, o.spec_hash) not in made
        }
        for app in want.apps
        for s in app.services
        if s.target.state.value != "stopped"
    }
    containers = {c.id: c for c in seen.containers}
    counts = [(c.app_id, c.service_id) for c in seen.containers]
    for step in plan(seen, want).steps:
        key = (step.subject.app_id, step.subject.name)
        if step.kind is StepKind.STOP and key in replaced and counts.count(key) == 1:
            assert containers[step.target].spec_hash != step.purpose
            assert replaced[key] <= here


@given(worlds(), target_states())
def test_no_volume_is_ever_removed_unasked(seen: World, state: TargetState) -> None:
    _, plans = rounds(seen, wanted(state))
    assert not [s for p in plans for s in p.steps if s.kind is StepKind.REMOVE_VOLUME]


@given(worlds(), target_states())
def test_a_purge_removes_the_volumes_of_that_app_alone_and_the_app_comes_back(
    seen: World, state: TargetState
) -> None:
    want = wanted(state)
    purge = Intent(kind=IntentKind.PURGE, app_id=1, service_id="")
    end, plans = rounds(replace(seen, intents=(purge,)), want)
    removed = [s for p in plans for s in p.steps if s.kind is StepKind.REMOVE_VOLUME]
    assert all(step.subject.app_id == 1 for step in removed)
    assert end.intents == ()
    assert at_rest(end, want)


@given(worlds(), services())
def test_one_apps_trouble_does_not_change_what_is_planned_for_another(
    seen: World, own: list[dict[str, object]]
) -> None:
    alone = wanted(targets({1: own}))
    bad = [
        {
            "serviceId": "bad", "serviceName": "bad", "imageName": "web:1",
            "config": {"volumes": ["/etc:/etc"]},
        }
    ]  # fmt: skip
    both = wanted(targets({1: own, 2: bad}))

    def for_app_1(want: Wanted) -> list[Step]:
        ours = replace(seen, containers=tuple(c for c in seen.containers if c.app_id == 1))
        return [s for s in plan(ours, want).steps if s.served.app_id == 1]

    assert for_app_1(both) == for_app_1(alone)
    rejected = plan(seen, both).verdicts[2]
    assert rejected.verdict is Verdict.REJECTED
    assert (rejected.services_settled, rejected.services_total) == (0, 1)


@given(worlds())
def test_a_target_without_version_removes_nothing(seen: World) -> None:
    assert plan(seen, wanted(targets({}, version=None))).steps == ()


@given(worlds(), target_states())
def test_every_round_has_a_step_or_a_reason_until_settled(seen: World, state: TargetState) -> None:
    decided = plan(seen, wanted(state))
    for verdict in decided.verdicts.values():
        if verdict.verdict is not Verdict.SETTLED:
            assert verdict.reason
    assert decided.steps or decided.waits or decided.settled


@given(worlds(), target_states(), st.integers(0, 7), st.data())
def test_a_crash_after_any_step_leads_to_the_same_place(
    seen: World, state: TargetState, done: int, data: st.DataObject
) -> None:
    want = wanted(state)
    straight, _ = rounds(seen, want)
    world = seen
    for _ in range(done):
        steps = plan(world, want).steps
        if not steps:
            break
        # Some of the round's steps were done when the power went.
        for step in data.draw(st.lists(st.sampled_from(steps), unique_by=id)):
            world = after(world, step)
    end, _ = rounds(world, want)
    assert at_rest(end, want)
    assert _shape(end) == _shape(straight)


def _shape(world: World) -> list[tuple[int, str, str | None]]:
    """What runs, without ids; what may rest or be absent when stopped does not count."""
    return sorted(
        (c.app_id, c.service_id, c.spec_hash)
        for c in world.containers
        if c.state in (ContainerState.RUNNING, ContainerState.PAUSED)
    )


def _as_wire(app: object) -> list[dict[str, object]]:
    from iotistic.model.target import AppTarget

    assert isinstance(app, AppTarget)
    return [
        {
            "serviceId": s.service_id,
            "serviceName": s.service_name,
            "imageName": str(s.spec.image),
            "state": s.state,
            "config": {
                "restart": s.spec.restart.name
                + (f":{s.spec.restart.retries_max}" if s.spec.restart.retries_max else ""),
                "environment": {name: value.reveal() for name, value in s.spec.environment},
                "networks": [n.name for n in s.spec.networks],
                "volumes": [f"{m.source}:{m.target}" for m in s.spec.volumes],
            },
        }
        for s in app.services
    ]
