"""Why an app or a service is as it is, for who stands before the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from iotistic.cli.commands.locks import show_locks
from iotistic.cli.commands.status import worded
from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, span

_Pairs = list[tuple[str, CellLike]]
_EVENTS = {
    "step-done": "done",
    "step-failed": "failed",
    "release-verifying": "a release begins",
    "release-good": "a release is well",
    "release-rejected": "a release was taken back",
    "release-retry": "tried again",
    "locked": "locked",
    "unlocked": "unlocked",
    "stopped-by-person": "stopped by hand",
    "started-by-person": "started by hand",
    "restarted-by-person": "restarted by hand",
    "purged-by-person": "purged by hand",
    "target-accepted": "a new target",
}


@click.command(cls=Command)
@click.argument("name", metavar="APP[/SERVICE]")
@click.option(
    "--last",
    type=click.IntRange(0, 200),
    default=20,
    show_default=True,
    help="How many entries of the journal to show.",
)
@click.pass_obj
def explain(session: Session, name: str, last: int) -> None:
    """Why an app is as it is: what is done, waited for, failed and was done before.

    An APP is named by its id or its name, a SERVICE by its id, its name, its container's name, or
    NAME-ID.
    """
    app, _, service = name.partition("/")
    path = "/v1/explain/" + "/".join(quote(part, safe="") for part in (app, service) if part)
    reply = session.device.json("GET", f"{path}?journal={last}")
    session.out.show(reply, lambda found: _show(session.out, found, session.now_ms))


def _show(out: Output, found: dict[str, Any], now_ms: int) -> None:
    out.pairs(
        [
            ("app", Cell(f"{found['appId']} {found['appName']}".strip(), Style.STRONG)),
            ("state", worded(found["verdict"])),
            ("that is", found["meaning"]),
            ("why", found["reason"]),
            ("release", _release(found)),
            ("services", f"{found['servicesSettled']} of {found['servicesTotal']} as wanted"),
        ]
    )
    for key, about in (("engineError", "the engine"), ("refusal", "the newest target")):
        if error := found[key]:
            out.line(f"{about}: {error['message']}", Style.BAD)
            _next(out, error["remedy"])
    for warning in found["warnings"]:
        out.line(f"warning: {warning}", Style.CAUTION)
    for remedy in dict.fromkeys(_remedies(found)):
        _next(out, remedy)
    _show_app_level(out, found)
    for service in found["services"]:
        out.line()
        _show_service(out, service, found, now_ms)
    if found["locks"]:
        _heading(out, "locks")
        show_locks(out, found["locks"], now_ms)
    _show_releases(out, found["releases"], now_ms)
    _show_journal(out, found["journal"], now_ms)


def _release(found: dict[str, Any]) -> str | None:
    release = found["release"]
    return f"{release}: {found['phase']}" if release else None


def _remedies(found: dict[str, Any]) -> Iterator[str]:
    if found["remedy"]:
        yield found["remedy"]
    if (rejection := found["rejection"]) and rejection["remedy"]:
        yield rejection["remedy"]
    yield from (wait["remedy"] for wait in found["waits"] if wait["remedy"])


def _show_app_level(out: Output, found: dict[str, Any]) -> None:
    """What is done and waited for that belongs to no single service."""
    pairs: _Pairs = []
    for step in found["steps"]:
        if step["serviceId"] is None:
            pairs.append(("next", f"{_thing(step)}{step['kind']}: {step['reason']}"))
    for wait in found["waits"]:
        if wait["serviceId"] is None:
            pairs.append(("waits", f"{_thing(wait)}{_wait(wait)}"))
    pairs += [("failed", _failure(failure)) for failure in found["failures"]]
    if pairs:
        out.line()
        out.pairs(pairs)


def _thing(about: dict[str, Any]) -> str:
    thing = str(about["subject"]).partition("/")[2].replace("/", " ", 1).strip()
    return f"{thing}: " if thing != "app" else ""


def _wait(wait: dict[str, Any]) -> str:
    again = "" if wait["inMs"] is None else f", looks again in {span(wait['inMs'] / 1000)}"
    return f"{wait['reason']}: {wait['message']}{again}"


def _failure(failure: dict[str, Any]) -> str:
    times = "once" if failure["count"] == 1 else f"{failure['count']} times in a row"
    left_ms = failure["retryInMs"]
    again = "again now" if left_ms < 1000 else f"again in {span(left_ms / 1000)}"
    return f"{failure['step']}, {times}, {again}: {failure['message']} ({failure['code']})"


def _show_service(out: Output, service: dict[str, Any], found: dict[str, Any], now_ms: int) -> None:
    out.line(f"{service['serviceName']} ({service['serviceId']})", Style.STRONG)
    state = service["status"] or "no container"
    ended = service["exitCode"]
    pairs: _Pairs = [
        ("wanted", f"{service['state'] or 'gone'}, {service['imageName']}"),
        ("is", f"{state}{'' if ended is None else f', ended with code {ended}'}{_health(service)}"),
    ]
    if override := service["override"]:
        when = ago(override["at"], now_ms)
        pairs.append(("by hand", f"stopped {when}, until {override['until']}"))
    if service["next"] and service["next"] != "wait":
        pairs.append(("next", Cell(f"{service['next']}: {service['why']}", Style.CAUTION)))
    waits = [wait for wait in found["waits"] if wait["serviceId"] == service["serviceId"]]
    if service["failures"]:  # they say it, and when it is tried again
        waits = [wait for wait in waits if wait["reason"] != "backoff"]
    said = bool(waits or service["failures"])
    if not service["settled"] and not said and service["next"] in (None, "wait"):
        pairs.append(("why", service["why"]))
    pairs += [("waits", _wait(wait)) for wait in waits]
    pairs += [
        ("differs", f"{d['field']}: wanted {d['wanted']}, found {d['found']}")
        for d in service["differences"]
    ]
    pairs += [("failed", Cell(_failure(f), Style.BAD)) for f in service["failures"]]
    if crashes := service["crashLoop"]:
        when = "" if crashes["lastAt"] is None else f", last {ago(crashes['lastAt'], now_ms)}"
        pairs.append(("crashes", Cell(f"{crashes['count']} in a row{when}", Style.BAD)))
    if owner := service["portOwner"]:
        rivals = f"; of this target {', '.join(owner['services'])} too" if owner["services"] else ""
        pairs.append(("port", f"wants {', '.join(owner['ports'])}: {owner['message']}{rivals}"))
    out.pairs([(f"  {name}", value) for name, value in pairs])
    _show_words(out, "what it wrote before it ended last", service["lastWords"])


def _health(service: dict[str, Any]) -> str:
    return f", {service['health']}" if service["health"] else ""


def _show_releases(out: Output, releases: dict[str, Any], now_ms: int) -> None:
    pairs: _Pairs = []
    if wanted := releases["wanted"]:
        pairs.append(("wanted", f"{wanted['id']}: {wanted['phase']}"))
    if candidate := releases["candidate"]:
        left = span(candidate["remainingMs"] / 1000)
        pairs.append(("watched", f"{candidate['id']}: has {left} to be well in"))
    if good := releases["good"]:
        pairs.append(("good", f"{good['id']}: well since {_ago(good['at'], now_ms)}"))
    for rejected in releases["rejected"]:
        by = f"{rejected['serviceName']}: " if rejected["serviceName"] else ""
        when = _ago(rejected["at"], now_ms)
        pairs.append(("taken back", f"{rejected['id']}, {when}: {by}{rejected['reason']}"))
    if not pairs:
        return
    _heading(out, "releases")
    out.pairs(pairs)
    for rejected in releases["rejected"][:1]:
        about = f"last lines of {rejected['serviceName'] or 'it'} in {rejected['id']}"
        _show_words(out, about, rejected["lastWords"])


def _show_journal(out: Output, entries: list[dict[str, Any]], now_ms: int) -> None:
    if not entries:
        return
    _heading(out, "what happened, newest first")
    out.table(
        (),
        [(ago(entry["at"], now_ms), _entry(entry)) for entry in entries],
        wrap=True,
    )


def _entry(entry: dict[str, Any]) -> str:
    about = f"{entry['serviceName']}: " if entry["serviceName"] else ""
    event = _EVENTS.get(entry["event"], entry["event"])
    what = f"{entry['step']} {event}" if entry["step"] else event
    named = entry["release"] and entry["release"] not in entry["reason"]
    release = f" {entry['release']}" if named else ""
    by = f" by {entry['by']}" if entry["by"] else ""
    reasons = [
        entry["reason"],
        f"it was to be done because: {entry['why']}" if entry["why"] else "",
    ]
    why = "; ".join(reason for reason in reasons if reason)
    fields = ", ".join(
        f"{d['field']} wanted {d['wanted']}, found {d['found']}" for d in entry["differences"][:5]
    )
    took = "" if entry["tookMs"] is None else f", took {entry['tookMs'] / 1000:.1f} s"
    told = f"{about}{what}{release}{by}{took}"
    told += f": {why}" if why else ""
    return f"{told} ({fields})" if fields else told


def _show_words(out: Output, about: str, lines: list[str]) -> None:
    if lines:
        out.line(f"  {about}:")
        for line in lines:
            out.line(f"  | {line}")


def _heading(out: Output, text: str) -> None:
    out.line()
    out.line(text, Style.STRONG)


def _next(out: Output, remedy: str | None) -> None:
    if remedy:
        out.line(f"next: {remedy}")


def _ago(at_ms: int | None, now_ms: int) -> str:
    return "an unknown time" if at_ms is None else ago(at_ms, now_ms)
