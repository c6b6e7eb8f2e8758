"""The engine's listings, read into observations.

Other programs and newer engines write into these answers too: an entry that cannot be read is
left out with a warning, and never costs the sight of the others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from iotistic.engines.docker.connection import decode
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField
from iotistic.model.image import parse_image
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_CONFIG_HASH,
    LABEL_DEVICE,
    LABEL_NAME,
    LABEL_SERVICE_ID,
    LABEL_SERVICE_NAME,
    LABEL_SPEC_FIELDS,
)
from iotistic.model.observation import Container, Image, Network, Volume
from iotistic.model.words import ContainerState

log = logging.getLogger(__name__)

E = TypeVar("E")
M = TypeVar("M")

_STATES = {str(state): state for state in ContainerState}
_EXIT = re.compile(r"(?:Exited|Restarting) \((-?[0-9]+)\)")
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")
_APP_ID = re.compile(r"[1-9][0-9]{0,15}")
_NO_NAME = "<none>"
_UP = (ContainerState.RUNNING, ContainerState.PAUSED)
_UP_FOR = re.compile(
    r"Up (?:(?P<count>[0-9]{1,6})|About an?) (?P<unit>second|minute|hour|day|week|month|year)"
)
_HOUR_S = 3600
_TIME_MAX_S = 253_402_300_799  # the end of the year 9999
_UNITS_S = {
    "second": 1,
    "minute": 60,
    "hour": _HOUR_S,
    "day": 24 * _HOUR_S,
    "week": 7 * 24 * _HOUR_S,
    "month": 30 * 24 * _HOUR_S,
    "year": 365 * 24 * _HOUR_S,
}


class _Attachments(msgspec.Struct):
    Networks: dict[str, msgspec.Raw] | None = None


class _HostConfig(msgspec.Struct):
    NetworkMode: str = ""


class _Container(msgspec.Struct):
    Id: str
    Names: list[str]
    Image: str
    ImageID: str
    State: str
    Labels: dict[str, str]
    Status: str = ""
    Created: float = 0.0
    NetworkSettings: _Attachments | None = None
    HostConfig: _HostConfig | None = None


class _Made(msgspec.Struct):
    ImageID: str = ""


class _Image(msgspec.Struct):
    Id: str
    RepoTags: list[str] | None = None
    RepoDigests: list[str] | None = None
    Size: int = 0
    Created: float = 0.0


class _Network(msgspec.Struct):
    Id: str
    Name: str
    Labels: dict[str, str] | None = None


class _Volume(msgspec.Struct):
    Name: str
    Labels: dict[str, str] | None = None


L = TypeVar("L", _Network, _Volume)


class _Volumes(msgspec.Struct):
    Volumes: msgspec.Raw = msgspec.Raw(b"null")


class _Listing(Generic[E, M]):
    """One kind of listing: how the engine writes an entry, and what we make of it."""

    def __init__(
        self,
        name: str,
        whole: msgspec.json.Decoder[list[E] | None],
        single: msgspec.json.Decoder[E],
        convert: Callable[[E], M],
    ) -> None:
        self._name = name
        self._whole = whole
        self._single = single
        self._convert = convert

    def read(self, content: bytes) -> tuple[M, ...]:
        return self.convert(self.entries(content))

    def entries(self, content: bytes) -> Iterable[E]:
        try:
            return self._whole.decode(content) or ()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._one_by_one(content)

    def convert(self, entries: Iterable[E]) -> tuple[M, ...]:
        found = []
        for entry in entries:
            try:
                found.append(self._convert(entry))
            except (ValueError, KeyError, InvalidField) as error:
                self._skipped(error)
        return tuple(found)

    def _one_by_one(self, content: bytes) -> Iterable[E]:
        for raw in decode(content, list[msgspec.Raw], what=self._name):
            try:
                yield self._single.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._skipped(error)

    def _skipped(self, error: Exception) -> None:
        # Only the kind of error: its text may quote a label, which is not ours to show.
        log.warning("entry skipped", extra={"listing": self._name, "error": type(error).__name__})


def _app_id(labels: Mapping[str, str]) -> int:
    text = labels[LABEL_APP_ID]
    # Only as we write it: " 1" is no app of ours, and what is larger fits into no table.
    if _APP_ID.fullmatch(text) is None or int(text) > INTEGER_MAX:
        raise ValueError("not an app id")
    return int(text)


def _when(seconds: float) -> float:
    # Beyond that no clock can say what it means, nor can it be told in milliseconds.
    return seconds if 0 <= seconds <= _TIME_MAX_S else 0.0


def _container(entry: _Container) -> Container:
    labels = entry.Labels
    state = _STATES[entry.State]
    status = entry.Status
    # "Up 2 minutes" is by far the commonest; only other texts hold something to be found.
    exit_code = _EXIT.match(status) if status[:2] in ("Ex", "Re") else None
    health = _HEALTH.search(status) if status.endswith(")") else None
    settings = entry.NetworkSettings
    return Container(
        id=entry.Id,
        name=entry.Names[0].removeprefix("/") if entry.Names else "",
        app_id=_app_id(labels),
        service_id=labels[LABEL_SERVICE_ID],
        service_name=labels[LABEL_SERVICE_NAME],
        state=state,
        image=entry.Image,
        image_id=entry.ImageID,
        spec_hash=labels.get(LABEL_CONFIG_HASH),
        spec_fields=labels.get(LABEL_SPEC_FIELDS),
        networks=tuple(settings.Networks) if settings and settings.Networks else (),
        exit_code=int(exit_code[1]) if exit_code else None,
        health=health[1] if health else None,
        created_s=_when(entry.Created),
        network_mode=entry.HostConfig.NetworkMode if entry.HostConfig else "",
        up_s=up_s(status) if state in _UP else 0.0,
    )


def up_s(status: str) -> float:
    """For how many seconds at least a container has been up, by a status like "Up 5 minutes".

    The engine rounds (Docker's `units.HumanDuration`): down to seconds and minutes, from one hour
    on to the nearest hour, and then down to days, weeks, months and years of those.
    """
    match = _UP_FOR.match(status)
    if match is None:
        return 0.0
    at_least_s = int(match["count"] or 1) * _UNITS_S[match["unit"]]
    if match["unit"] in ("second", "minute"):
        return float(at_least_s)
    return float(max(_HOUR_S, at_least_s - _HOUR_S // 2))


def _image(entry: _Image) -> Image:
    texts = [*(entry.RepoTags or ()), *(entry.RepoDigests or ())]
    references = (
        parse_image(text, at="RepoTags").canonical for text in texts if _NO_NAME not in text
    )
    return Image(
        id=entry.Id,
        references=tuple(references),
        size_bytes=entry.Size,
        created_s=_when(entry.Created),
    )


def _network(entry: _Network) -> Network:
    labels = entry.Labels or {}
    return Network(
        id=entry.Id,
        name=entry.Name,
        app_id=_app_id(labels),
        short_name=labels[LABEL_NAME],
        spec_hash=labels.get(LABEL_CONFIG_HASH),
    )


def _volume(entry: _Volume) -> Volume:
    labels = entry.Labels or {}
    return Volume(
        name=entry.Name,
        app_id=_app_id(labels),
        short_name=labels[LABEL_NAME],
        spec_hash=labels.get(LABEL_CONFIG_HASH),
    )


_CONTAINERS = _Listing(
    "containers",
    msgspec.json.Decoder(list[_Container] | None),
    msgspec.json.Decoder(_Container),
    _container,
)
_IMAGES = _Listing(
    "images",
    msgspec.json.Decoder(list[_Image] | None),
    msgspec.json.Decoder(_Image),
    _image,
)
_IN_USE = _Listing(
    "containers",
    msgspec.json.Decoder(list[_Made] | None),
    msgspec.json.Decoder(_Made),
    lambda entry: entry.ImageID,
)
_NETWORKS = _Listing(
    "networks",
    msgspec.json.Decoder(list[_Network] | None),
    msgspec.json.Decoder(_Network),
    _network,
)
_VOLUMES = _Listing(
    "volumes",
    msgspec.json.Decoder(list[_Volume] | None),
    msgspec.json.Decoder(_Volume),
    _volume,
)


def read_containers(content: bytes) -> tuple[Container, ...]:
    """Read `/containers/json`."""
    return _CONTAINERS.read(content)


def read_images(content: bytes) -> tuple[Image, ...]:
    """Read `/images/json`; dangling images are among them, without references."""
    return _IMAGES.read(content)


def read_images_in_use(content: bytes) -> frozenset[str]:
    """Read `/containers/json`, also of containers that are not ours: the ids of their images."""
    return frozenset(_IN_USE.read(content))


def read_networks(content: bytes, uuid: str) -> tuple[tuple[Network, ...], frozenset[str]]:
    """Read `/networks`: those of the device, and the names of the others."""
    ours, others = _apart(_NETWORKS.entries(content), uuid)
    return _NETWORKS.convert(ours), others


def read_volumes(content: bytes, uuid: str) -> tuple[tuple[Volume, ...], frozenset[str]]:
    """Read `/volumes`: those of the device, and the names of the others."""
    raw = bytes(decode(content, _Volumes, what="volumes").Volumes)
    ours, others = _apart(_VOLUMES.entries(raw), uuid)
    return _VOLUMES.convert(ours), others


def _apart(entries: Iterable[L], uuid: str) -> tuple[list[L], frozenset[str]]:
    ours, others = [], set()
    for entry in entries:
        if (entry.Labels or {}).get(LABEL_DEVICE) == uuid:
            ours.append(entry)
        else:
            others.add(entry.Name)
    return ours, frozenset(others)
