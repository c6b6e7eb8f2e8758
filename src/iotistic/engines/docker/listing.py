"""The engine's listings, read into observations.

Other programs and newer engines write into these answers too: an entry that cannot be read is
left out with a warning, and never costs the sight of the others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from iotistic.engines.docker.connection import decode
from iotistic.model.errors import InvalidField
from iotistic.model.image import parse_image
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_CONFIG_HASH,
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
_NO_NAME = "<none>"


class _Attachments(msgspec.Struct):
    Networks: dict[str, msgspec.Raw] | None = None


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


class _Image(msgspec.Struct):
    Id: str
    RepoTags: list[str] | None = None
    RepoDigests: list[str] | None = None
    Size: int = 0


class _Network(msgspec.Struct):
    Id: str
    Name: str
    Labels: dict[str, str] | None = None


class _Volume(msgspec.Struct):
    Name: str
    Labels: dict[str, str] | None = None


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
        try:
            entries: Iterable[E] = self._whole.decode(content) or ()
        except (msgspec.DecodeError, UnicodeDecodeError):
            entries = self._one_by_one(content)
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
        app_id=int(labels[LABEL_APP_ID]),
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
        created_s=entry.Created,
    )


def _image(entry: _Image) -> Image:
    texts = [*(entry.RepoTags or ()), *(entry.RepoDigests or ())]
    references = (
        parse_image(text, at="RepoTags").canonical for text in texts if _NO_NAME not in text
    )
    return Image(id=entry.Id, references=tuple(references), size_bytes=entry.Size)


def _network(entry: _Network) -> Network:
    labels = entry.Labels or {}
    return Network(
        id=entry.Id,
        name=entry.Name,
        app_id=int(labels[LABEL_APP_ID]),
        short_name=labels[LABEL_NAME],
    )


def _volume(entry: _Volume) -> Volume:
    labels = entry.Labels or {}
    return Volume(name=entry.Name, app_id=int(labels[LABEL_APP_ID]), short_name=labels[LABEL_NAME])


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


def read_networks(content: bytes) -> tuple[Network, ...]:
    """Read `/networks`."""
    return _NETWORKS.read(content)


def read_volumes(content: bytes) -> tuple[Volume, ...]:
    """Read `/volumes`."""
    return _VOLUMES.read(bytes(decode(content, _Volumes, what="volumes").Volumes))
