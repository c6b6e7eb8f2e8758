"""Devices in any state that a device can be in, with whatever their past left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from iotistic.model.image import parse_image
from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.words import ContainerState
from iotistic.planner.permissions import Permission
from iotistic.planner.policy import Policy
from iotistic.planner.wanted import Wanted, WantedApp, WantedService
from iotistic.planner.world import (
    Candidate,
    Completed,
    GoodRelease,
    Host,
    Intent,
    IntentKind,
    Lock,
    LockOwner,
    PulledImage,
    Rejection,
    Releases,
    World,
)
from tests.planner.builders import container, wanted
from tests.planner.device import Device
from tests.planner.random_targets import (
    BAD,
    FINE,
    LAN,
    Document,
    state_of,
    target_documents,
    variants,
)
from tests.planner.strict_engine import StrictEngine

STATES = ("running", "running", "created", "paused", "restarting", "removing", "exited", "dead")
NOW_S = 1000.0
PLENTY = Host(disk_free_bytes=10**12, memory_free_bytes=10**12)
_ANOTHER_VERSION = "0:0123456789abcdef"


def host_rooms(*, possible: bool = False) -> st.SearchStrategy[Host]:
    """How much room there is."""
    if possible:
        return st.sampled_from((Host(), PLENTY))
    low = replace(PLENTY, disk_free_bytes=1000)
    return st.sampled_from((Host(), PLENTY, PLENTY, low, replace(PLENTY, memory_free_bytes=1000)))


def policies() -> st.SearchStrategy[Policy]:
    """What the device's owner allows."""
    return st.builds(
        Policy,
        allow=st.just(frozenset(Permission)),
        pulls_max=st.sampled_from((1, 2, 5)),
        image_budget_bytes=st.sampled_from((0, 1_500_000, 10**9)),
    )


def worked_out(apps: dict[int, Document], version: int = 1) -> Wanted:
    """A target on a device whose owner allows everything."""
    return wanted(state_of(apps, version), Policy(allow=frozenset(Permission)))


@st.composite
def devices(
    draw: st.DrawFn,
    *,
    possible: bool = False,
    ids: tuple[int, ...] = (1, 2),
    registry: str = "",
    called: str = "c",
) -> tuple[Device, dict[int, Document]]:
    """A device with a target, and the documents of that target's apps.

    `possible`: all of them can become well. `ids` are those of its apps, images are from
    `registry`, and the ids of its containers begin as `called` says.
    """
    fine = tuple(registry + name for name in FINE)
    images = fine if possible else fine + tuple(registry + name for name in BAD)
    apps = draw(target_documents(images=images, possible=possible, ids=ids))
    want = worked_out(apps)
    earlier = [
        {**draw(target_documents(images=fine, ids=ids)), **draw(_variants(apps, fine))}
        for _ in range(draw(st.integers(0, 2)))
    ]
    past = [want, *(worked_out(then) for then in earlier)]
    engine = StrictEngine(moves=draw(st.sampled_from(({}, {"docker.io/library/web:1": 1}))))
    device = Device(World(now_s=NOW_S), want, engine, draw(policies()))
    made = [
        _made(draw, device, service, called, possible=possible)
        for then in past
        for service in _services(then)
        if draw(st.booleans())
    ]
    device.world = replace(
        device.world,
        containers=tuple(made),
        resources=_resources(draw, past, made, fine),
        host=draw(host_rooms(possible=possible)),
    )
    _remember(draw, device, past, possible=possible)
    return device, apps


@st.composite
def _variants(
    draw: st.DrawFn, apps: dict[int, Document], images: tuple[str, ...]
) -> dict[int, Document]:
    return {
        app_id: draw(variants(app, images=images))
        for app_id, app in apps.items()
        if draw(st.booleans())
    }


def _services(want: Wanted) -> list[WantedService]:
    return [service for app in want.apps for service in app.services]


def _made(
    draw: st.DrawFn, device: Device, service: WantedService, called: str, *, possible: bool
) -> Container:
    number = len(device.engine.requests)
    state = draw(st.sampled_from(STATES))
    # A one-shot that failed stays so until somebody does something about it.
    rests = possible and service.target.spec.restart.name.value in ("no", "on-failure")
    code = draw(st.sampled_from((0, 137) if rests else (0, 1, 137)))
    found = container(service, state, cid=f"{called}{number}", exit_code=code)
    request = service.request
    mode = ""
    if service.shares_network_of:
        mode = f"container:{called}{draw(st.integers(0, 4))}"
        request = replace(request, network_mode=mode)
    name = request.name
    if any(r.name == name for r in device.engine.requests.values()) or draw(st.booleans()):
        name = f"{name}-{number}"
    facts: dict[str, Any] = {
        "name": name,
        "created_s": float(draw(st.integers(0, 5))),
        "network_mode": mode,
        "up_s": draw(st.sampled_from((0.0, 5.0, 5000.0))),
        "image_id": f"sha256:{service.image}#0",
    }
    device.engine.requests[found.id] = request
    if found.state is ContainerState.RUNNING and device.engine.is_checked(found.id):
        facts["health"] = draw(st.sampled_from(("starting", "healthy", "unhealthy")))
    match draw(st.sampled_from(("plain", "plain", "plain", "version", "label", "torn", "drift"))):
        case "version":
            device.truly_for[found.id] = service.spec_hash
            facts["spec_hash"] = _ANOTHER_VERSION
        case "label":
            facts |= {"spec_hash": None, "spec_fields": None}
            device.truly_for[found.id] = draw(st.sampled_from((service.spec_hash, "unknown")))
        case "torn":
            facts["networks"] = found.networks[:1]
        case "drift":
            device.notice_drift(found.id)
        case _:
            pass
    return replace(found, **facts)


def _resources(
    draw: st.DrawFn, past: list[Wanted], made: list[Container], images: tuple[str, ...]
) -> Resources:
    networks: dict[str, Network] = {}
    volumes: dict[str, Volume] = {}
    used = {name for c in made if c.state is not ContainerState.EXITED for name in c.networks}
    for app in (app for then in past for app in then.apps):
        for n in app.networks:
            if n.request is not None and (n.name in used or draw(st.booleans())):
                label = draw(st.sampled_from((n.spec_hash, n.spec_hash, None, "9:later")))
                networks[n.name] = Network(
                    id=n.name, name=n.name, app_id=app.app_id, short_name=n.short_name,
                    spec_hash=label,
                )  # fmt: skip
        for v in app.volumes:
            if draw(st.booleans()):
                volumes[v.name] = Volume(
                    name=v.name, app_id=app.app_id, short_name=v.short_name, spec_hash=v.spec_hash
                )
    ids = {c.image_id for c in made}
    here = [n for n in images if f"sha256:{_canonical(n)}#0" in ids or draw(st.booleans())]
    return Resources(
        images=tuple(
            Image(id=f"sha256:{_canonical(n)}#0", references=(_canonical(n),), size_bytes=1_000_000)
            for n in here
        ),
        networks=tuple(networks.values()),
        volumes=tuple(volumes.values()),
        other_networks=frozenset({LAN}),
        images_in_use=frozenset(),
    )


def _canonical(name: str) -> str:
    return parse_image(name, at="").canonical


def _remember(draw: st.DrawFn, device: Device, past: list[Wanted], *, possible: bool) -> None:
    """What store and folders hold from before."""
    world = device.world
    known = [app for then in past for app in then.apps]
    good = {app.app_id: app for app in known if draw(st.booleans())}
    hashes = {app.release_hash for app in good.values()}
    watched = [
        app
        for app in device.want.apps
        if app.release_hash not in hashes and draw(st.integers(0, 3)) == 3
    ]
    rejected = [app for app in known if not possible and draw(st.integers(0, 5)) == 5]
    pulled = {
        (app.app_id, s.image): PulledImage(
            reference=s.image, image_id=f"sha256:{s.image}#0", app_id=app.app_id,
            release_hash=app.release_hash, at_ms=draw(st.integers(0, 3)),
        )
        for app in known for s in app.services
        if any(s.image in i.references for i in (world.resources or Resources()).images)
        and draw(st.booleans())
    }  # fmt: skip
    done = frozenset(
        Completed(app_id=s.app_id, service_id=s.key, spec_hash=s.spec_hash)
        for app in known for s in app.services
        if s.target.spec.restart.name.value == "no" and draw(st.booleans())
    )  # fmt: skip
    device.world = replace(
        world,
        completed=done,
        pulled=tuple(pulled.values()),
        releases=Releases(
            good=tuple(
                GoodRelease(app_id=a.app_id, release_hash=a.release_hash, release=a.release)
                for a in good.values()
            ),
            candidates=tuple(_candidate(draw, app) for app in watched),
            rejected=tuple(
                Rejection(
                    app_id=a.app_id, release_hash=a.release_hash, release=a.release, reason="sick"
                )
                for a in rejected
            ),
        ),
        locks=tuple(draw(locks(app.app_id)) for app in device.want.apps if draw(st.booleans())),
        intents=(wish,) if (wish := draw(wishes(device, possible=possible))) else (),
    )
    device.want = replace(device.want, good=good)


def _candidate(draw: st.DrawFn, app: WantedApp) -> Candidate:
    return Candidate(
        app_id=app.app_id, release_hash=app.release_hash, release=app.release,
        deadline_s=NOW_S + draw(st.sampled_from((-10.0, 5.0, 300.0))),
    )  # fmt: skip


@st.composite
def locks(draw: st.DrawFn, app_id: int) -> Lock:
    """A lock of anybody, ours of an earlier life as well."""
    owner = draw(st.sampled_from(tuple(LockOwner)))
    until_s = draw(st.sampled_from((None, NOW_S + 60.0))) if owner is LockOwner.PERSON else None
    return Lock(app_id=app_id, owner=owner, holder="someone", until_s=until_s)


@st.composite
def wishes(draw: st.DrawFn, device: Device, *, possible: bool = False) -> Intent | None:
    """What a person may ask now; with `possible` nothing is stopped that others need."""
    services = _services(replace(device.want, apps=device.aimed_apps()))
    if not services:
        return None
    service = draw(st.sampled_from(services))
    kind = draw(st.sampled_from(tuple(IntentKind)))
    needed = {d.service for s in services for d in s.depends_on if d.required}
    if possible and kind is IntentKind.STOP and service.name in needed:
        return None
    intent = Intent(kind=kind, app_id=service.app_id, service_id=service.key)
    found = [
        c for c in device.world.containers
        if (c.app_id, c.service_id) == (service.app_id, service.key)
    ]  # fmt: skip
    match kind:
        case IntentKind.STOP:
            until = draw(st.booleans())
            return replace(intent, until_release=until, purpose=service.spec_hash)
        case IntentKind.RESTART:
            return replace(intent, container_id=found[-1].id) if found else None
        case _:
            return replace(intent, service_id="")
