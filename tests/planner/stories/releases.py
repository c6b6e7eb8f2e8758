"""Releases: begun, watched, good, taken back; and whatever holds them off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.planner.wanted import NOTHING_WANTED, Wanted
from iotistic.planner.world import Completed, Host, LockOwner, StepKind
from tests.planner.builders import service
from tests.planner.drive import APP, want
from tests.planner.stories.story import WEB, Story, failed, lock

VERIFY = {"timeout": "60s", "min_healthy_s": 10}
MIB = 1024**2


def _r(number: int, *services: dict[str, Any], **app: Any) -> Wanted:
    """A release with a name, so that its tags may have moved."""
    return _change(number, *services, release={"id": f"r{number}"}, **app)


def _change(number: int, *services: dict[str, Any], **app: Any) -> Wanted:
    return want(*services, **{"version": number, "verify": VERIFY, **app})


def first() -> Story:
    """Everything from nothing, with an image to pull."""
    wanted = want(
        service(volumes=["data:/d"], networks=["front"]),
        service("db", "db:1", depends_on=["web"]),
        release={"id": "r1"},
        networks={"front": {"labels": {"a": "b"}}},
        volumes={"data": {"labels": {"c": "d"}}},
    )
    return Story(wanted, "web:1").follow("round", 7)


def update() -> Story:
    """Two of three change; what depends on them stops first; locks and watch come before."""
    db = service("db", "db:1")
    job = service("job", "job:1")
    story = Story(_r(1, service(depends_on=["db"]), db, job)).settle()
    story.release(
        _r(
            2,
            service(image="web:2", user="7", stop_grace_period="3s", depends_on=["db"]),
            service("db", "db:1", environment={"A": "b"}),
            job,
        )
    )
    return story.follow("round", 9)


def watched() -> Story:
    """What is waited for until a release is good."""
    story = Story(_r(1, service(), service("db", "db:1"))).settle()
    story.release(_r(2, service(image="web:2"), service("db", "db:1"))).until("start web")
    story.device.act()
    story.tell("just started")
    story.service("web", up_s=4.0).later(4).tell("four seconds up")
    story.service("web", health="starting").tell("its check has said nothing")
    story.service("web", health="unhealthy").tell("its check fails")
    story.service("web", health="healthy", up_s=10.0).service("db", up_s=10.0).tell("long enough")
    story.device.act()
    return story.tell("good")


def taken_back() -> Story:
    """Not well in time: back to the one before, which is told for ever after."""
    story = Story(_r(1, service())).settle()
    story.release(_r(2, service(image="web:2"))).until("start web")
    story.device.act()
    story.service("web", state="restarting", exit_code=3)
    (watch,) = story.device.world.releases.candidates
    story.world(now_s=watch.deadline_s - 0.5).tell("still in time")
    story.world(now_s=watch.deadline_s).tell("its time is over")
    story.world(pulling={"docker.io/library/x:1": 0.5}).tell("a foreign pull is no excuse")
    story.world(pulling={})
    story.device.act()
    return story.follow("back", 8)


def kept() -> Story:
    """Nothing to go back to, or it is not wanted: degraded, and tried on."""
    story = Story(_r(1, service())).until("start web")
    story.device.act()
    story.service("web", state="restarting", exit_code=3).later(61).tell("the first release")
    second = Story(_r(1, service(), verify={**VERIFY, "on_failure": "keep"})).settle()
    second.release(_r(2, service(image="web:2"), verify={**VERIFY, "on_failure": "keep"}))
    second.until("start web").device.act()
    second.service("web", health="unhealthy", up_s=100.0).later(61).tell("told to keep it")
    second.service("web", state="exited", exit_code=1).tell("and then it ends")
    second.service("web", state="running", health=None).tell("and then it is well")
    story.lines += second.lines
    return story


def cannot_become_well() -> Story:
    """A one-shot that failed is waited for no longer than until it has failed."""
    story = Story(_r(1, service())).settle()
    story.release(_r(2, service(), service("job", "job:1", restart="no"))).until("start job")
    story.device.act()
    story.service("job", state="exited", exit_code=4).tell("failed")
    return story.rounds(1).tell("back").rounds(1).tell("then").rounds(3).tell("at last")


def of_several_the_worst() -> Story:
    """What cannot become well is named before what only is not well yet."""
    story = Story(_r(1, service())).settle()
    job = service("job", "job:1", restart="no")
    story.release(_r(2, service("db", "db:1"), job, service(image="web:2"))).until("start job")
    story.device.act()
    story.service("db", health="starting").service("job", state="exited", exit_code=4)
    return story.tell("one is starting, one failed")


def locked() -> Story:
    """Whose lock it is, why, and for how long."""
    story = Story(_change(1, service(), service("db", "db:1"))).settle()
    story.release(_change(2, service(image="web:2"), service("db", "db:1", user="1")))
    story.world(locks=(lock(holder="jo", reason="calibrating", until_s=5000.0),)).tell("a person")
    story.world(locks=(lock(),)).tell("nobody in particular")
    story.world(locks=(lock(LockOwner.SERVICE, holder="web"),)).tell("a service")
    story.world(locks=(lock(until_s=story.device.world.now_s),)).tell("run out at this moment")
    held = (lock(LockOwner.AGENT), lock(holder="jo"))
    story.world(locks=held).tell("ours, taken before the other one")
    story.release(_change(3, service(image="web:2"), lock="force"))
    return story.world(locks=(lock(holder="jo"),)).tell("forced").rounds(1).tell("then")


def locked_at_rest() -> Story:
    """A change that is none of a release: an app as it is, with something to stop."""
    story = Story(_change(1, service(), service("db", "db:1"))).settle()
    story.service("web", networks=())
    story.tell("cut off").world(locks=(lock(holder="jo"),)).tell("and locked")
    story.service("db", state="exited", exit_code=1).tell("keeping alive needs no lock")
    return story


def leaving() -> Story:
    """An app that has to go, service by service."""
    story = Story(_change(1, service(), service("db", "db:1"))).settle()
    story.service("db", state="exited", exit_code=0)
    story.device.wanted = Wanted(may_remove=True)
    story.world(locks=(lock(holder="jo", until_s=9000.0),)).tell("locked")
    story.world(locks=()).follow("round", 6)
    story.device.wanted = NOTHING_WANTED
    return story.tell("no opinion")


def leaving_one_by_one() -> Story:
    """Services that go while another one changes, in the order of dependence."""
    story = Story(_change(1, service(depends_on=["db"]), service("db", "db:1"))).settle()
    story.release(_change(2, service("job", "job:2"))).tell("an image is not here yet")
    story.resources(images=()).world(pulling={"docker.io/library/job:2": 0.5}).tell("it comes")
    story.device.wanted = replace(story.device.wanted, good={})
    story.world(pulling={}).follow("without its image", 2)
    return story


def our_lock() -> Story:
    """When we let go of a lock, and when not."""
    story = Story(_change(1, service())).settle().world(locks=(lock(LockOwner.AGENT),))
    story.tell("at rest")
    story.world(in_flight=frozenset({WEB})).tell("a step is under way")
    story.world(in_flight=frozenset()).service("web", state="restarting").tell("a wait")
    story.release(_change(2, service(image="web:2")))
    story.service("web", state="running").world(locks=(lock(LockOwner.AGENT),)).tell("a change")
    other = lock(LockOwner.AGENT)
    story.device.wanted = Wanted(apps=(), may_remove=True)
    return story.world(containers=(), locks=(other,)).tell("of an app that is not there")


def pulls() -> Story:
    """Room, slots, and images that are under way."""
    many = [service(f"s{n}", f"s{n}:1") for n in range(6)]
    story = Story(_change(1, *many, service("same", "s0:1")), "other:1")
    story.tell("more than may be pulled at once")
    story.world(pulling={"docker.io/library/s0:1": 0.256}).tell("one under way")
    story.world(pulling={}, host=Host(disk_free_bytes=256 * MIB)).tell("just enough disk")
    story.world(host=Host(disk_free_bytes=256 * MIB - 1)).tell("too little")
    story.world(host=Host(memory_free_bytes=32 * MIB)).tell("just enough memory")
    story.world(host=Host(memory_free_bytes=32 * MIB - 1)).tell("too little memory")
    story.world(host=Host(disk_free_bytes=2**40, memory_free_bytes=2**40)).tell("plenty")
    return story


def failures() -> Story:
    """What failed waits for its time, told with what it failed for."""
    story = Story(_r(1, service())).settle().service("web", state="exited", exit_code=1)
    purpose = story.spec_hash("web")
    now_s = story.device.world.now_s
    again = failed(WEB, StepKind.HEAL, purpose=purpose, not_before_s=now_s + 9)
    story.world(attempts=(again,)).tell("once")
    more = failed(WEB, StepKind.HEAL, purpose=purpose, count=4, not_before_s=now_s + 9)
    story.world(attempts=(more,)).tell("four times")
    story.world(now_s=now_s + 9).tell("its time has come")
    story.world(now_s=now_s, attempts=(failed(WEB, StepKind.HEAL, purpose="other"),))
    return story.tell("for another specification")


def one_shots() -> Story:
    """Done is done; another specification of it is not."""
    story = Story(_r(1, service("job", "job:1", restart="no"))).settle().tell("done")
    story.world(containers=()).tell("its container is gone")
    story.world(completed=frozenset()).tell("and nobody remembers")
    spec_hash = story.spec_hash("job")
    known = Completed(app_id=APP, service_id="job", spec_hash=spec_hash)
    story.release(_r(2, service("job", "job:1", restart="no", user="1")))
    return story.world(completed=frozenset({known})).tell("another one")


STORIES = {
    "release-first": first,
    "release-update": update,
    "release-watched": watched,
    "release-taken-back": taken_back,
    "release-kept": kept,
    "release-cannot-become-well": cannot_become_well,
    "release-of-several-the-worst": of_several_the_worst,
    "lock-held": locked,
    "lock-at-rest": locked_at_rest,
    "lock-ours": our_lock,
    "app-leaving": leaving,
    "service-leaving": leaving_one_by_one,
    "image-pulls": pulls,
    "step-failures": failures,
    "service-one-shots": one_shots,
}
