"""Targets at random that use everything the planner can decide by, as wire documents."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from iotistic.model.target import TargetState, parse_target

NAMES = ("a", "b", "c", "d")
FINE = ("web:1", "web:2", "db:1", "db:2")
"""Images whose programs are well; those of db say how they are by themselves."""
BAD = ("crash:1", "sick:1")
"""Of crash the program ends with code 1 as soon as it runs, of sick the health check fails."""
LAN = "lan"
"""A network and a volume of others, as the engine calls them."""
Document = dict[str, Any]

CHECK = {"test": ["CMD", "true"], "interval": "5s"}


def state_of(apps: Mapping[int, Document], version: int | None = 1) -> TargetState:
    """The target of these apps."""
    document = {"apps": {str(app_id): app for app_id, app in apps.items()}, "version": version}
    return parse_target(copy.deepcopy(document))


def says_how_it_is(image: str, config: Mapping[str, Any]) -> bool:
    """Whether the engine will tell the health of such a service."""
    return _name(image).startswith(("db", "sick")) or "healthcheck" in config


def _name(image: str) -> str:
    return image.rpartition("/")[2]


def is_one_shot(config: Mapping[str, Any]) -> bool:
    """Whether such a service may end and be done."""
    return str(config.get("restart")).startswith(("no", "on-failure"))


@st.composite
def service_documents(
    draw: st.DrawFn,
    app_id: int,
    name: str,
    earlier: list[Document],
    images: tuple[str, ...],
    *,
    possible: bool,
) -> Document:
    """One service, after those it may depend on. `possible`: it can become well."""
    image = draw(st.sampled_from(images))
    policies = ("unless-stopped", "unless-stopped", "always", "no", "on-failure", "on-failure:3")
    config: Document = {"restart": draw(st.sampled_from(policies))}
    if draw(st.booleans()):
        config["environment"] = {"A": draw(st.sampled_from("12"))}
    if draw(st.booleans()):
        config["volumes"] = ["data:/data"]
    if draw(st.integers(0, 3)) == 3:
        config["healthcheck"] = CHECK
    if draw(st.integers(0, 3)) == 3:
        config["ports"] = [f"{8000 + 10 * app_id + NAMES.index(name)}:80"]
    if draw(st.integers(0, 4)) == 4:
        config["update_lock"] = True
    policy = draw(st.sampled_from(("missing", "missing", "missing", "always", "never")))
    if policy != "missing" and not (possible and policy == "never"):
        config["pull_policy"] = policy
    lasting = [s for s in earlier if s["state"] == "running" and not is_one_shot(s["config"])]
    hosts = [s for s in lasting if "network_mode" not in s["config"]]
    if hosts and draw(st.integers(0, 3)) == 3:
        config["network_mode"] = f"service:{draw(st.sampled_from(hosts))['serviceName']}"
        config.pop("ports", None)
    else:
        networks: list[list[str]] = [[], ["front"], ["front", "back"], ["outer"]]
        config["networks"] = draw(st.sampled_from(networks))
    config["depends_on"] = {
        other["serviceName"]: _dependency(draw, other, possible=possible)
        for other in draw(st.lists(st.sampled_from(earlier), unique_by=id, max_size=2))
        if not possible or other["state"] == "running"
    } if earlier else {}  # fmt: skip
    if draw(st.integers(0, 7)) == 7:
        config["depends_on"]["nobody"] = {"required": False}
    return {
        "serviceId": name,
        "serviceName": name,
        "imageName": image,
        "state": draw(st.sampled_from(("running", "running", "running", "paused", "stopped"))),
        "config": config,
    }


def _dependency(draw: st.DrawFn, other: Document, *, possible: bool) -> Document:
    conditions = ["service_started"]
    one_shot = is_one_shot(other["config"])
    if not possible or one_shot:
        conditions.append("service_completed_successfully")
    if not possible or (says_how_it_is(other["imageName"], other["config"]) and not one_shot):
        conditions.append("service_healthy")
    return {
        "condition": draw(st.sampled_from(conditions)),
        "required": draw(st.sampled_from((True, True, False))),
        "restart": draw(st.booleans()),
    }


@st.composite
def app_documents(
    draw: st.DrawFn, app_id: int, *, images: tuple[str, ...] = FINE, possible: bool = True
) -> Document:
    """One app of up to four services, with all that an app can say."""
    services: list[Document] = []
    least = draw(st.integers(1, 3))
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=least, unique=True)):
        services.append(draw(service_documents(app_id, name, services, images, possible=possible)))
    timeout_s = draw(st.sampled_from((60, 300)))
    release = draw(st.sampled_from(("", "r1", "r2")))
    return {
        "appId": app_id,
        "appName": f"app{app_id}",
        "services": services,
        "networks": {
            "front": draw(st.sampled_from(({}, {"internal": True}, {"driver": "macvlan"}))),
            "outer": {"external": True, "name": LAN},
        },
        "volumes": {"data": draw(st.sampled_from(({}, {"labels": {"size": "big"}})))},
        "release": {"id": release} if release else None,
        "strategy": {"kind": draw(strategy_kinds()), "handover_timeout": "30s"},
        "verify": {
            "timeout": f"{timeout_s}s",
            "min_healthy_s": f"{draw(st.sampled_from((0, 10)))}s",
            "on_failure": draw(st.sampled_from(("rollback", "rollback", "keep"))),
        },
        "lock": draw(st.sampled_from(("respect", "respect", "force"))),
    }  # fmt: skip


def strategy_kinds() -> st.SearchStrategy[str]:
    """One of the four."""
    return st.sampled_from(
        ("download-then-kill", "kill-then-download", "delete-then-download", "hand-over")
    )


@st.composite
def variants(
    draw: st.DrawFn, app: Document, *, images: tuple[str, ...] = FINE, kept: tuple[str, ...] = ()
) -> Document:
    """The same app some time earlier or later: here another image, there another variable.

    Services of the names `kept` stay as they are.
    """
    app = copy.deepcopy(app)
    for service in app["services"]:
        if service["serviceName"] in kept:
            continue
        match draw(st.sampled_from(("same", "image", "environment", "state", "networks"))):
            case "image":
                service["imageName"] = draw(st.sampled_from(_like(service, images)))
            case "environment":
                service["config"]["environment"] = {"A": draw(st.sampled_from("34"))}
            case "state" if not _is_needed(service, app):
                service["state"] = draw(st.sampled_from(("running", "paused", "stopped")))
            case "networks" if "network_mode" not in service["config"]:
                service["config"]["networks"] = draw(st.sampled_from(([], ["back"])))
            case _:
                pass
    if not kept:
        gone = [s for s in app["services"] if not _is_needed(s, app)]
        if len(app["services"]) > 1 and gone and draw(st.integers(0, 3)) == 3:
            app["services"].remove(draw(st.sampled_from(gone)))
        app["networks"]["front"] = draw(st.sampled_from(({}, {"internal": True})))
    if draw(st.booleans()):
        app["release"] = {"id": draw(st.sampled_from(("r1", "r2", "r3")))}
    if draw(st.integers(0, 3)) == 3:
        app["strategy"]["kind"] = draw(strategy_kinds())
    return app


def _like(service: Document, images: tuple[str, ...]) -> list[str]:
    """Images after which who waits for the service's health still can."""
    tells = _name(service["imageName"]).startswith("db")
    return [i for i in images if not tells or _name(i).startswith(("db", "sick", "crash"))]


def _is_needed(service: Document, app: Document) -> bool:
    name = service["serviceName"]
    return any(
        name in other["config"]["depends_on"]
        or other["config"].get("network_mode") == f"service:{name}"
        for other in app["services"]
    )


@st.composite
def target_documents(
    draw: st.DrawFn,
    *,
    images: tuple[str, ...] = FINE,
    possible: bool = True,
    ids: tuple[int, ...] = (1, 2),
) -> dict[int, Document]:
    """One app or two, seldom none."""
    least = 0 if draw(st.integers(0, 9)) == 9 else 1
    chosen = draw(st.lists(st.sampled_from(ids), unique=True, min_size=least, max_size=2))
    return {i: draw(app_documents(i, images=images, possible=possible)) for i in chosen}
