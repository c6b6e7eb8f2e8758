"""A bad release goes back, and one app's trouble is its own."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iotistic.model.observation import Resources
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Releases, World
from tests.planner import oracle
from tests.planner.device import Device, Fate, shown
from tests.planner.random_targets import Document, app_documents, is_one_shot, variants
from tests.planner.random_worlds import PLENTY, devices, worked_out
from tests.planner.rough_day import FATES
from tests.planner.scale import EXAMPLES
from tests.planner.strict_engine import StrictEngine

ROUNDS_MAX = 150


def settled(app: Document) -> Device:
    """A device that has an app as its last good release."""
    device = Device(World(now_s=1000.0), worked_out({1: app}), StrictEngine())
    device.world = replace(
        device.world, resources=Resources(other_networks=frozenset({"lan"})), host=PLENTY
    )
    device.play_fair()
    assert not (left := oracle.unmet(device)), left
    return device


@st.composite
def bad_releases(draw: st.DrawFn) -> tuple[Document, Document]:
    """An app, and a release of it in which one service cannot become well."""
    app = draw(app_documents(1))
    running = [s for s in app["services"] if s["state"] == "running"]
    assume(running)
    app["verify"]["on_failure"] = "rollback"
    bad = copy.deepcopy(draw(variants(app, kept=tuple(s["serviceName"] for s in running))))
    name = draw(st.sampled_from(running))["serviceName"]
    chosen = next(s for s in bad["services"] if s["serviceName"] == name)
    sick = not is_one_shot(chosen["config"]) and draw(st.booleans())
    chosen["imageName"] = "sick:1" if sick else "crash:1"
    return app, bad


@settings(max_examples=2 * EXAMPLES)
@given(bad_releases(), st.lists(FATES, max_size=20), st.data())
def test_a_bad_release_goes_back_to_the_last_good_one_and_is_not_tried_again_unasked(
    releases: tuple[Document, Document], fates: list[Fate], data: st.DataObject
) -> None:
    app, bad = releases
    device = settled(app)
    good = device.want.apps[0].release_hash
    rejected = worked_out({1: bad}, version=2)
    device.take_target(rejected)

    told = chain(fates, repeat(Fate.DONE))
    for _ in range(data.draw(st.integers(0, 8))):
        device.round(lambda _: next(told))
        device.pass_time(data.draw(st.sampled_from((1.0, 30.0))))
        if data.draw(st.integers(0, 4)) == 4:
            device.lose_agent(lambda _: data.draw(st.booleans()))
    assert device.play_fair(ROUNDS_MAX) < ROUNDS_MAX

    assert [r.release_hash for r in device.world.releases.rejected] == [
        rejected.apps[0].release_hash
    ]
    assert device.aimed_apps()[0].release_hash == good
    assert not (left := oracle.unmet(device)), left
    for span_s in (1.0, 1_000.0, 100_000.0):
        device.pass_time(span_s)
        device.lose_agent(lambda _: True)
        _, decided = device.decide()
        assert not decided.steps, shown(decided)
        assert not decided.waits, shown(decided)

    known = device.world.releases
    device.world = replace(device.world, releases=Releases(good=known.good))
    _, decided = device.decide()
    assert decided.steps, "asked to, it is tried again"


@settings(max_examples=EXAMPLES)
@given(bad_releases(), st.data())
def test_another_target_gets_its_chance_after_a_bad_one(
    releases: tuple[Document, Document], data: st.DataObject
) -> None:
    app, bad = releases
    device = settled(app)
    device.take_target(worked_out({1: bad}, version=2))
    for _ in range(data.draw(st.integers(0, 12))):
        device.round()
        device.pass_time(data.draw(st.sampled_from((1.0, 30.0))))
    another = worked_out({1: data.draw(variants(app))}, version=3)
    device.take_target(another)
    device.play_fair()
    assert not (left := oracle.unmet(device)), left
    assert device.world.releases.good[0].release_hash == another.apps[0].release_hash


@settings(max_examples=5 * EXAMPLES)
@given(devices(ids=(1,)), devices(ids=(2,), registry="second/", called="s"))
def test_a_second_app_and_its_troubles_change_nothing_in_what_is_planned_for_the_first(
    one: tuple[Device, Any], other: tuple[Device, Any]
) -> None:
    first, second = one[0], other[0]
    both = _together(first.world, second.world)
    want = Wanted(
        apps=first.want.apps + second.want.apps,
        may_remove=True,
        good={**first.want.good, **second.want.good},
    )
    alone = plan(replace(first.world, host=PLENTY, inspected=_looks(first)), first.want, WIDE)
    beside = plan(
        replace(both, host=PLENTY, inspected={**_looks(first), **_looks(second)}), want, WIDE
    )
    assert _for_first(beside) == _for_first(alone)
    assert beside.verdicts.get(1) == alone.verdicts.get(1)


WIDE = Policy(pulls_max=100, image_budget_bytes=10**12)


def _for_first(decided: Any) -> list[str]:
    found: list[Step | Wait] = [*decided.steps, *decided.waits]
    return [
        repr(one)
        for one in found
        if (one.served if isinstance(one, Step) else one.subject).app_id == 1
    ]


def _looks(device: Device) -> Any:
    device.decide()
    return device.looks


def _together(one: World, other: World) -> World:
    """Both on one device."""
    tuples = ("containers", "attempts", "intents", "locks", "pulled")
    facts: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in tuples}
    here, there = one.resources or Resources(), other.resources or Resources()
    known, more = one.releases, other.releases
    return replace(
        one,
        **facts,
        completed=one.completed | other.completed,
        resources=replace(
            here,
            images=here.images + there.images,
            networks=here.networks + there.networks,
            volumes=here.volumes + there.volumes,
        ),
        releases=Releases(
            good=known.good + more.good,
            candidates=known.candidates + more.candidates,
            rejected=known.rejected + more.rejected,
        ),
    )
