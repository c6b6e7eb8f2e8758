"""Networks, volumes and images: made, made anew, of others, too many; and what is remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.model.image import parse_image
from iotistic.model.observation import Image, Volume
from iotistic.planner.images import subject_of
from iotistic.planner.policy import Policy
from iotistic.planner.wanted import NOTHING_WANTED
from iotistic.planner.wishes import completed, fulfilled
from iotistic.planner.world import (
    Completed,
    Host,
    IntentKind,
    PulledImage,
    Releases,
    StepKind,
    Subject,
    World,
)
from tests.planner.builders import service
from tests.planner.drive import APP, want
from tests.planner.stories.story import Story, failed, intent, network

MIB = 1024**2


def _image(name: str, *more: str, size: int = 400) -> Image:
    references = tuple(parse_image(n, at="").canonical for n in (name, *more) if name)
    return Image(id=f"sha256:{name or 'bare'}", references=references, size_bytes=size * MIB)


def _pulled(name: str, at_ms: int, release_hash: str = "") -> PulledImage:
    return PulledImage(
        reference=parse_image(name, at="").canonical, image_id=f"sha256:{name}", app_id=APP,
        release_hash=release_hash, at_ms=at_ms,
    )  # fmt: skip


def network_made_anew() -> Story:
    """Another description of a network: all leave it, it goes, it comes, they come back."""
    front: dict[str, Any] = {"networks": ["front"]}
    services = (service(**front), service("db", "db:1"), service("job", "job:1", **front))
    story = Story(want(*services, networks={"front": {}})).settle()
    story.service("job", state="exited", exit_code=1)
    internal = {"front": {"internal": True}}
    story.release(want(*services, networks=internal, version=2)).follow("round", 9)
    stopped = (services[0], services[1], service("job", "job:1", state="stopped", **front))
    story.release(want(*stopped, networks={"front": {}}, version=3))
    story.service("job", state="exited", exit_code=0)
    return story.tell("one of them is wanted stopped")


def network_of_another_version() -> Story:
    """What another version of the agent made, and what one made that wrote no label."""
    story = Story(want(service(networks=["front"]), networks={"front": {}})).settle()
    story.resources(networks=(network("front", spec_hash="2:beyond"),)).tell("beyond")
    story.resources(networks=(network("front"),)).tell("without a label")
    driven = {"front": {"driver_opts": {"a": "b"}}}
    story.release(want(service(networks=["front"]), networks=driven, version=2))
    return story.tell("without a label, and not the default")


def of_others() -> Story:
    """What others are to make."""
    networks = {"lan": {"external": True, "name": "lan"}, "own": {}}
    volumes = {"disk": {"external": True, "name": "disk"}, "data": {}}
    one = service(networks=["lan", "own"], volumes=["disk:/a", "data:/b"])
    story = Story(want(one, networks=networks, volumes=volumes)).tell("both lacking")
    story.resources(other_networks=frozenset({"lan"})).tell("one is there")
    story.resources(other_volumes=frozenset({"disk"})).tell("both are there")
    story.settle().tell("settled")
    beside = (service(volumes=["disk:/a"]), service("db", "db:1", volumes=["data:/b"]))
    again = Story(want(*beside, volumes=volumes)).tell("one lacks its own, one that of others")
    story.lines += again.lines
    return story


def leftovers() -> Story:
    """Networks nobody wants, and those that somebody still uses."""
    story = Story(want(service())).settle()
    mine = story.device.world.resources
    assert mine is not None
    more = (*mine.networks, network("old"), network("used"), network("left", app_id=7))
    story.resources(networks=more).twin("web", app_id=9, networks=(network("used").name,))
    story.tell("two are free")
    story.world(in_flight=frozenset({Subject(app_id=APP, kind="network", name="old")}))
    story.tell("one is going")
    gone = failed(Subject(app_id=7, kind="network", name="left"), StepKind.REMOVE_NETWORK)
    return story.world(in_flight=frozenset(), attempts=(gone,)).tell("one could not go")


def volumes() -> Story:
    """Kept, told of, and removed for a purge alone."""
    story = Story(want(service(volumes=["data:/d"]))).settle()
    labelled = {"data": {"labels": {"a": "b"}}}
    story.release(want(service(volumes=["data:/d"]), volumes=labelled, version=2))
    story.tell("described in another way").rounds(2).tell("and kept")
    purge = intent(IntentKind.PURGE, "")
    story.world(containers=(), intents=(purge,))
    mine = story.device.world.resources
    assert mine is not None
    other = Volume(name="other", app_id=7, short_name="other")
    more = Volume(name="1001_more-0f0e0d0c", app_id=APP, short_name="more")
    story.resources(volumes=(*mine.volumes, other, more)).tell("purge")
    moving = frozenset({Subject(app_id=APP, kind="volume", name="data")})
    story.world(in_flight=moving).tell("one is going").world(in_flight=frozenset())
    gone = failed(Subject(app_id=APP, kind="volume", name="more"), StepKind.REMOVE_VOLUME)
    story.world(attempts=(gone,)).tell("one could not go").world(attempts=())
    story.device.wanted = replace(story.device.wanted, apps=())
    return story.tell("of an app that has to go")


def creations() -> Story:
    """What is needed by whom, up to five of them; what fails; what is under way."""
    names = [f"s{n}" for n in range(7)]
    many = [service(name, "web:1", networks=["front"], volumes=["data:/d"]) for name in names]
    story = Story(want(*many, service("off", "web:1", state="stopped", networks=["none"])))
    story.device.act()
    story.tell("by many")
    front = Subject(app_id=APP, kind="network", name="front")
    story.world(in_flight=frozenset({front})).tell("one under way").world(in_flight=frozenset())
    purpose = next(n for n in story.device.wanted.apps[0].networks if n.short_name == "front")
    gone = failed(front, StepKind.CREATE_NETWORK, purpose=purpose.spec_hash)
    return story.world(attempts=(gone,)).tell("one failed")


def collected() -> Story:
    """Which images go, for room, in which order."""
    story = Story(want(service()), "web:1").settle()
    mine = story.device.world.resources
    assert mine is not None
    others = (_image("a:1"), _image("b:1"), _image("c:1", "c:2"), _image("", size=1), _image("d:1"))
    known = (_pulled("b:1", 1), _pulled("a:1", 2), _pulled("c:1", 2), _pulled("bare", 0))
    story.resources(images=(*mine.images, *others)).world(pulled=(*known, _pulled("b:1", 3)))
    story.tell("within and beyond the budget")
    story.device.policy = Policy(image_budget_bytes=1200 * MIB)
    story.tell("just on the budget")
    story.device.policy = Policy(image_budget_bytes=1200 * MIB - 1)
    story.tell("a byte beyond")
    story.device.policy = Policy(image_budget_bytes=2**40, disk_floor_bytes=MIB * 500)
    story.world(host=Host(disk_free_bytes=MIB * 99)).tell("400 MiB and one too few on the disk")
    story.world(host=Host(disk_free_bytes=MIB * 500)).tell("just enough")
    story.device.policy = Policy(image_budget_bytes=0)
    story.world(pulling={"docker.io/library/a:9": 0.0}).tell("one of a repository comes")
    busy = frozenset({subject_of("sha256:c:1")})
    story.world(pulling={}, in_flight=busy).tell("one is going").world(in_flight=frozenset())
    gone = failed(subject_of("sha256:a:1"), StepKind.REMOVE_IMAGE)
    story.world(attempts=(gone,)).tell("one could not go").world(attempts=())
    story.resources(images_in_use=frozenset({"sha256:a:1"})).tell("one is in use")
    story.device.wanted = NOTHING_WANTED
    return story.tell("no opinion")


def room_for_one() -> Story:
    """Delete, then download: which images make room."""
    kind: dict[str, Any] = {"strategy": "delete-then-download"}
    names = ("web:0", "web:1", "shop/web:1", "db:1")
    known = tuple(_pulled(name, 1) for name in names)
    story = Story(want(service(), **kind), *names, pulled=known).settle()
    story.release(want(service(image="web:2"), version=2, **kind)).until("remove web").rounds(1)
    story.follow("round", 3)
    again = Story(want(service(image="web:2"), service("db", "web:1"), **kind), *names)
    again.world(pulled=known).tell("one is wanted by another service")
    gone = failed(subject_of("sha256:web:0"), StepKind.REMOVE_IMAGE)
    again.world(attempts=(gone,)).tell("one could not go").world(attempts=())
    again.resources(images_in_use=frozenset({"sha256:web:0"})).tell("one is in use")
    again.resources(images=(_image("web:0", "db:7"), _image("localhost:5000/web")))
    again.world(pulled=(_pulled("web:0", 1), _pulled("localhost:5000/web", 1)))
    again.tell("one has another name as well")
    digest = "web@sha256:" + "b" * 64
    port = Story(want(service(image="localhost:5000/shop/web:2"), **kind), "db:1")
    here = (_image(f"localhost:5000/shop/{digest}"), _image(f"localhost:5000/{digest}"))
    port.resources(images=here)
    mine = (_pulled(f"localhost:5000/shop/{digest}", 1), _pulled(f"localhost:5000/{digest}", 1))
    port.world(pulled=mine).tell("by digest, from a registry with a port")
    story.lines += [*again.lines, *port.lines]
    return story


def tags() -> Story:
    """When an image that is here is asked for again."""
    digest = "web@sha256:" + "a" * 64
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "a named release": ({}, {"release": {"id": "r2"}}),
        "no named release": ({}, {}),
        "always": ({"pull_policy": "always"}, {}),
        "never": ({"pull_policy": "never"}, {"release": {"id": "r2"}}),
        "by digest": ({"image": digest}, {"release": {"id": "r2"}}),
    }
    story = Story(want(service()))
    for title, (fields, app) in cases.items():
        one = Story(want(service(**fields), **app), "web:1", digest).tell(f"{title}, first")
        one.device.world = Story(want(service()), "web:1", digest).settle().device.world
        one.release(want(service(user="1", **fields), version=2, **app))
        one.tell(f"{title}, after a good one")
        subject = subject_of(one.device.wanted.apps[0].services[0].image)
        one.world(attempts=(failed(subject, StepKind.PULL),)).tell(f"{title}, no registry")
        story.lines += one.lines
    gone = Story(want(service(pull_policy="never")), "db:1").tell("never, and not here")
    story.lines += gone.lines
    return story


def pinned() -> Story:
    """A tag that moved since it was pulled for this release."""
    story = Story(want(service(), release={"id": "r1"})).settle()
    release = story.device.wanted.apps[0].release_hash
    story.world(pulled=(_pulled("web:1", 1, release),)).tell("as pulled")
    moved = Image(id="sha256:moved", references=(parse_image("web:1", at="").canonical,))
    first = _image("web:1")
    story.resources(images=(moved, replace(first, references=()))).tell("moved, the first is here")
    story.service("web", state="exited", exit_code=1).tell("and it ends")
    story.world(containers=()).tell("and its container is gone")
    story.resources(images=(moved,)).tell("and the first is gone")
    return story


def remembered() -> Story:
    """Which wishes are over, and which one-shots are done."""
    job = service("job", "job:1", restart="no")
    story = Story(want(service(), job, service("another", "db:1"))).settle()
    web, spec = story.device.container("web"), story.spec_hash("web")
    wishes = {
        "stop": intent(IntentKind.STOP, purpose=spec),
        "stop of an older release": intent(IntentKind.STOP, purpose="1:old"),
        "stop for ever": intent(IntentKind.STOP, purpose="1:old", until_release=False),
        "stop of none": intent(IntentKind.STOP, "none", purpose=spec),
        "restart": intent(IntentKind.RESTART, container_id=web.id),
        "restart of one that is gone": intent(IntentKind.RESTART, container_id="gone"),
        "restart of none": intent(IntentKind.RESTART, "none", container_id=web.id),
        "purge": intent(IntentKind.PURGE, ""),
    }
    world = story.device.world
    resources = world.resources
    assert resources is not None
    data = Volume(name="data", app_id=APP, short_name="data")
    other = Volume(name="other", app_id=7, short_name="other")
    worlds = {
        "now": world,
        "empty": replace(world, containers=()),
        "empty but for a volume": replace(
            world, containers=(), resources=replace(resources, volumes=(data,))
        ),
        "empty but for another app's": replace(
            world,
            containers=(replace(web, app_id=7),),
            resources=replace(resources, volumes=(other,)),
        ),
        "empty, seen before": replace(world, containers=(), resources_fresh=False),
        "empty, never seen": replace(world, containers=(), resources=None),
    }
    wanted = story.device.wanted
    for title, one in worlds.items():
        for name, wish in wishes.items():
            seen = replace(one, intents=(wish,))
            over, lost = fulfilled(seen, wanted), fulfilled(seen, NOTHING_WANTED)
            story.lines.append(f"{title}, {name}: {len(over)}, without a target {len(lost)}")
    _done(story, world)
    return story


def _done(story: Story, world: World) -> None:
    job = story.device.container("job")
    known = frozenset({Completed(app_id=APP, service_id="job", spec_hash=story.spec_hash("job"))})
    stop = intent(IntentKind.STOP, "job", until_release=False)
    restart = intent(IntentKind.RESTART, "job", container_id=job.id)
    rest = replace(world, completed=frozenset())
    cases = {
        "ended well": rest,
        "ended badly": _with(rest, job.id, exit_code=1),
        "ended well, of another specification": _with(rest, job.id, spec_hash="1:old"),
        "ended well, of another version": _with(rest, job.id, spec_hash="2:old"),
        "gone": replace(rest, containers=()),
        "gone, known": replace(rest, containers=(), completed=known),
        "known, stopped": replace(rest, completed=known, intents=(stop,)),
        "known, restart": replace(rest, completed=known, intents=(restart,)),
        "known, purge": replace(rest, completed=known, intents=(intent(IntentKind.PURGE, ""),)),
        "known, no releases": replace(rest, completed=known, releases=Releases()),
    }
    wanted = story.device.wanted
    other = want(service("job", "job:1", restart="no", user="1"), version=2)
    off = want(service("job", "job:1", restart="no", state="stopped"), version=2)
    lasting = want(service("job", "job:1"), version=2)
    for title, one in cases.items():
        told = [
            f"{name} {len(completed(one, target))}"
            for name, target in {
                "as wanted": wanted,
                "with its good release": replace(other, good={APP: wanted.apps[0]}),
                "another": other,
                "stopped": off,
                "no one-shot": lasting,
                "no target": NOTHING_WANTED,
            }.items()
        ]
        story.lines.append(f"{title}: {', '.join(told)}")


def _with(world: World, container_id: str, **facts: Any) -> World:
    return replace(
        world,
        containers=tuple(
            replace(c, **facts) if c.id == container_id else c for c in world.containers
        ),
    )


STORIES = {
    "network-made-anew": network_made_anew,
    "network-of-another-version": network_of_another_version,
    "network-leftovers": leftovers,
    "objects-of-others": of_others,
    "objects-made": creations,
    "volumes": volumes,
    "images-collected": collected,
    "images-make-room": room_for_one,
    "images-tags": tags,
    "images-pinned": pinned,
    "remembered": remembered,
}
