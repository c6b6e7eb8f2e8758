"""One service: every state of its container, every way to replace it, every wish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from iotistic.model.words import ContainerState
from iotistic.planner.world import CloseLook, Completed, Difference, IntentKind
from tests.planner.builders import service
from tests.planner.drive import APP, pulled, want
from tests.planner.stories.story import WEB, Story, intent

DRIFT = Difference(field="mem_limit", wanted="64M", found="128M")


def _running(*services: dict[str, Any], **app: Any) -> Story:
    return Story(want(*(services or (service(),)), **app)).settle()


def states() -> Story:
    """What an engine may say of a container, and what is done about it."""
    story = _running(service(stop_grace_period="5s"))
    for state in ("created", "paused", "restarting", "removing", "exited", "dead"):
        story.service("web", state=state, exit_code=None).tell(state)
    story.service("web", state="exited", exit_code=137).tell("exited with a code")
    story.service("web", state="running", exit_code=None, health="starting").tell("starting")
    story.service("web", health="unhealthy").tell("unhealthy")
    return story.service("web", health="healthy").tell("healthy")


def wanted_otherwise() -> Story:
    """The same container, for another run state."""
    story = _running()
    for want_state in ("stopped", "paused"):
        story.release(want(service(state=want_state), version=2))
        for state in ("created", "running", "paused", "restarting", "exited"):
            story.service("web", state=state).tell(f"{state}, wanted {want_state}")
    story.world(containers=()).tell("not there, wanted paused")
    story.release(want(service(state="stopped"), version=3))
    return story.tell("not there, wanted stopped")


def one_shots() -> Story:
    """Restart policies, and what they let rest."""
    story = Story(want(service("job", "job:1", restart="on-failure:3"))).settle()
    for code in (0, 1, 2):
        story.service("job", state="exited", exit_code=code).tell(f"three tries, code {code}")
    story.release(want(service("job", "job:1", restart="on-failure"), version=2))
    story.service("job", spec_hash=story.spec_hash("job")).tell("tries without end")
    story.release(want(service("job", "job:1", restart="on-failure:1"), version=3))
    story.service("job", spec_hash=story.spec_hash("job")).tell("one try")
    story.release(want(service("job", "job:1", restart="no", state="stopped"), version=4))
    story.service("job", spec_hash=story.spec_hash("job")).tell("ended, wanted stopped")
    return story.service("job", state="dead").tell("dead, wanted stopped")


def dependencies() -> Story:
    """Each condition, in each situation: what becomes of `web`, which depends on `db`."""
    story = Story(want(service()))
    for condition in ("started", "healthy", "completed_successfully"):
        for required in (True, False):
            for restart in ("always", "no"):
                depends = {"db": {"condition": f"service_{condition}", "required": required}}
                web = service(depends_on=depends)
                need = "required" if required else "optional"
                story.lines += [f"## {condition}, {need}, restart {restart}", ""]
                story.lines += [*_situations(web, restart), ""]
    return story


def _situations(web: dict[str, Any], restart: str) -> Iterator[str]:
    db = service("db", "db:1", restart=restart)
    device = Story(want(web, db)).until("create-container web").rounds(1)
    if "create-container db" in device.device.said():
        device.rounds(1)
    for state, facts in _STATES_OF_DB:
        device.service("db", **{"state": state, "health": None, "exit_code": None, **facts})
        yield f"db {state} {'/'.join(str(fact) for fact in facts.values())}: {_of_web(device)}"
    device.service("db", state="created", exit_code=None)
    forever = intent(IntentKind.STOP, "db", until_release=False)
    yield f"stopped by a person: {_of_web(device.world(intents=(forever,)))}"
    spec_hash = device.spec_hash("db")
    done = frozenset({Completed(app_id=APP, service_id="db", spec_hash=spec_hash)})
    yield f"stopped by a person, done before: {_of_web(device.world(completed=done))}"
    stopped = want(web, service("db", "db:1", restart=restart, state="stopped"))
    device.release(stopped).world(intents=(), completed=frozenset())
    yield f"stopped by the target: {_of_web(device)}"


def _of_web(story: Story) -> str:
    decided = story.device.plan()
    said = [f"{s.kind} ({s.reason})" for s in decided.steps if s.service_name == "web"]
    said += [f"{w.reason} ({w.message})" for w in decided.waits if w.service_name == "web"]
    return ", ".join(said)


_STATES_OF_DB: tuple[tuple[str, dict[str, Any]], ...] = (
    ("created", {}),
    ("running", {"health": None}),
    ("running", {"health": "starting"}),
    ("running", {"health": "healthy"}),
    ("paused", {}),
    ("restarting", {"exit_code": 1}),
    ("exited", {"exit_code": 0}),
    ("exited", {"exit_code": 1}),
    ("exited", {"exit_code": 2}),
)


def changed() -> Story:
    """All that makes a container another one than is wanted."""
    story = _running(service(), service("db", "web:1", network_mode="service:web"))
    story.service("web", networks=("other", "another")).tell("left its network")
    name = story.device.wanted.apps[0].networks[0].name
    story.service("web", networks=("other", name)).tell("joined to one more")
    story.service("db", network_mode="container:gone").tell("shares a network that is gone")
    story.service("db", network_mode="").tell("the engine does not say whose network")
    story.service("db", network_mode=f"container:{story.device.container('web').id}")
    web, spec = story.device.container("web"), story.spec_hash("web")
    seven = tuple(replace(DRIFT, field=f"field{n}") for n in range(7))
    story.world(inspected={web.id: CloseLook(compared_with=spec, differences=seven)})
    story.tell("changed from outside")
    story.world(inspected={}).service("web", spec_hash="2:abc", spec_fields=None).tell("unreadable")
    story.world(inspected={web.id: CloseLook(compared_with=spec)}).tell("looked at closely")
    story.service("web", spec_hash="1:abc", spec_fields="{").tell("of another specification")
    story.service("web", spec_hash=spec).world(inspected={})
    release = story.device.wanted.apps[0].release_hash
    story.world(pulled=(pulled("web:1", release_hash=release),))
    return story.service("web", image_id="sha256:other").tell("of another image")


def shaken() -> Story:
    """Replaced because of what it hangs on."""
    depends = {"db": {"condition": "service_started", "restart": True}}
    others = (
        service(depends_on=depends),
        service("side", "web:1", network_mode="service:db"),
        service("job", "job:1", depends_on=["db"]),
    )
    story = _running(*others, service("db", "db:1"))
    story.release(want(*others, service("db", "db:1", user="1"), version=2))
    return story.follow("round", 9)


def kill_first() -> Story:
    """Stopped before its image is here."""
    kind: dict[str, Any] = {"strategy": "kill-then-download"}
    story = Story(want(service(), **kind), "web:1").settle()
    return story.release(want(service(image="web:2"), version=2, **kind)).follow("round", 8)


def delete_first() -> Story:
    """Its old image goes before the new one comes."""
    kind: dict[str, Any] = {"strategy": "delete-then-download"}
    story = Story(want(service(), **kind), "web:1", pulled=(pulled("web:1"),)).settle()
    return story.release(want(service(image="web:2"), version=2, **kind)).follow("round", 8)


def hand_over() -> Story:
    """Both run for a while."""
    kind: dict[str, Any] = {"strategy": {"kind": "hand-over", "handover_timeout": "30s"}}
    story = _running(**kind)
    story.release(want(service(image="web:2"), version=2, **kind)).until("start web")
    story.tell("made beside the other").device.act()
    story.tell("just started")
    new = story.device.container("web")
    story.world(handed_over=frozenset({new.id})).tell("it says that it has taken over")
    story.world(handed_over=frozenset()).service("web", up_s=29.5).tell("half a second left")
    story.service("web", up_s=30.0).tell("no word in time")
    story.device.act()
    story.tell("the old one has ended").device.act()
    return story.tell("and is gone").rounds(1).tell("then")


def in_each_others_way() -> Story:
    """A hand-over that cannot be."""
    kind: dict[str, Any] = {"strategy": "hand-over"}
    story = Story(want(service(), **kind))
    cases: dict[str, dict[str, Any]] = {
        "a port of the host": {"ports": ["127.0.0.1:8080:80"]},
        "a port of any number": {"ports": ["80"]},
        "a hardware address": {"mac_address": "02:00:00:00:00:01"},
        "an address": {"networks": {"n": {"ipv4_address": "10.1.2.3"}}},
        "a v6 address": {"networks": {"n": {"ipv6_address": "fd00::3"}}},
        "no network": {"network_mode": "none"},
        "nothing": {},
    }
    for title, fields in cases.items():
        one = Story(want(service(**fields), **kind)).settle()
        one.release(want(service(image="web:2", **fields), version=2, **kind))
        one.until("take-locks") if fields and title != "a port of any number" else one.rounds(1)
        one.rounds(2)
        words = ", ".join(sorted(one.device.said()))
        story.lines += [f"{title}: {words}"]
    return story


def changed_and_stopped() -> Story:
    """Another specification of what is to be stopped anyway."""
    story = _running(service(networks=["front"]), networks={"front": {}})
    stopped = service(networks=["front"], state="stopped", user="1")
    story.release(want(stopped, networks={"front": {}}, version=2)).tell("by the target")
    story.release(want(service(networks=["front"], user="1"), networks={"front": {}}, version=2))
    forever = intent(IntentKind.STOP, until_release=False)
    story.world(intents=(forever,)).tell("by a person")
    story.service("web", state="exited", exit_code=0).tell("it has ended")
    internal = {"front": {"internal": True}}
    story.release(want(service(networks=["front"], user="1"), networks=internal, version=3))
    return story.tell("it has ended, and is in the way of its network")


def hand_over_broken_off() -> Story:
    """Two containers, and not both run, or nobody wants them to."""
    kind: dict[str, Any] = {"strategy": "hand-over"}
    story = _running(**kind)
    old = story.device.container("web").id
    story.release(want(service(image="web:2"), version=2, **kind)).until("start web")
    story.device.act()
    for state in ("created", "paused", "exited"):
        story.service("web", state=state, exit_code=1).tell(f"the new one is {state}")
    story.release(want(service(image="web:2", state="paused"), version=3, **kind))
    story.service("web", state="paused").tell("paused as wanted")
    story.release(want(service(image="web:2", state="stopped"), version=4, **kind))
    story.tell("wanted stopped")
    forever = intent(IntentKind.STOP, until_release=False)
    story.release(want(service(image="web:2"), version=5, **kind)).world(intents=(forever,))
    story.tell("stopped by a person")
    containers = story.device.world.containers
    ended = tuple(replace(c, state=ContainerState.EXITED) if c.id == old else c for c in containers)
    return story.world(containers=ended).tell("the old one has ended")


def too_many() -> Story:
    """A second container of a service."""
    story = _running().twin("web", created_s=1.0).tell("older")
    story.service("web", state="exited", exit_code=0).tell("the newer one has ended")
    return story.world(in_flight=frozenset({WEB})).tell("a step is under way")


def wishes() -> Story:
    """A person's stop, restart and purge."""
    story = _running(service(volumes=["data:/d"]))
    web, spec = story.device.container("web"), story.spec_hash("web")
    story.world(intents=(intent(IntentKind.STOP, purpose=spec),)).tell("stop")
    story.device.act()
    story.tell("stopped")
    story.world(intents=(intent(IntentKind.STOP, purpose="1:old"),)).tell("of an older release")
    forever = intent(IntentKind.STOP, purpose="1:old", until_release=False)
    story.world(intents=(forever,)).tell("for ever")
    again = intent(IntentKind.RESTART, container_id=web.id, seen_start="then")
    story.service("web", state="running", exit_code=None).world(intents=(again,)).tell("restart")
    story.service("web", state="exited", exit_code=0).tell("restart of one that ended")
    story.world(intents=(intent(IntentKind.RESTART, container_id="other"),)).tell("of another one")
    story.service("web", state="running", exit_code=None)
    story.world(intents=(intent(IntentKind.PURGE, ""),))
    return story.follow("purge", 7)


def renamed() -> Story:
    """A container that has another name than it should."""
    story = _running(service(), service("db", "db:1"), service("job", "job:1"))
    app = story.device.wanted.apps[0]
    names = {s.name: s.request.name for s in app.services}
    story.service("web", name="before").tell("free")
    story.service("db", name="before2").service("job", name=names["db"])
    return story.tell("one is taken")


STORIES = {
    "service-states": states,
    "service-wanted-otherwise": wanted_otherwise,
    "service-ended": one_shots,
    "service-dependencies": dependencies,
    "service-changed": changed,
    "service-shaken": shaken,
    "service-changed-and-stopped": changed_and_stopped,
    "service-too-many": too_many,
    "service-renamed": renamed,
    "strategy-kill-first": kill_first,
    "strategy-delete-first": delete_first,
    "strategy-hand-over": hand_over,
    "strategy-hand-over-broken-off": hand_over_broken_off,
    "strategy-in-each-others-way": in_each_others_way,
    "wishes": wishes,
}
