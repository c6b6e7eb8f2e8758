"""Networks and volumes. They are known by names of ours, so each is checked to be ours first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from iotistic.engines.docker.connection import Connection, decode, filters
from iotistic.engines.docker.deadlines import LIST_S, MUTATE_S
from iotistic.engines.docker.errors import EngineAnswer, general, object_error
from iotistic.model.container import NetworkRequest, VolumeRequest
from iotistic.model.errors import Refused
from iotistic.model.naming import LABEL_DEVICE, device_labels
from iotistic.model.objects import IpamPool


class _Labelled(msgspec.Struct):
    Name: str
    Id: str = ""
    Labels: dict[str, str] | None = None
    Containers: dict[str, msgspec.Raw] | None = None


def network_body(network: NetworkRequest, extra_labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /networks/create`; what the specification leaves out is the engine's."""
    spec = network.spec
    body: dict[str, Any] = {
        "Name": network.name,
        "Driver": spec.driver or "bridge",
        # Names of networks are not unique to the engine, and two of one name are of no use.
        "CheckDuplicate": True,
        "Labels": {**dict(spec.labels), **dict(network.labels), **extra_labels},
    }
    if spec.driver_opts:
        body["Options"] = dict(spec.driver_opts)
    for name, wanted in (
        ("Internal", spec.internal),
        ("EnableIPv6", spec.enable_ipv6),
        ("Attachable", spec.attachable),
    ):
        if wanted:
            body[name] = True
    if spec.ipam_driver or spec.ipam_options or spec.ipam_pools:
        body["IPAM"] = {
            "Driver": spec.ipam_driver or "default",
            "Options": dict(spec.ipam_options),
            "Config": [_pool(pool) for pool in spec.ipam_pools],
        }
    return body


def _pool(pool: IpamPool) -> dict[str, Any]:
    said = {
        "Subnet": pool.subnet,
        "Gateway": pool.gateway,
        "IPRange": pool.ip_range,
        "AuxiliaryAddresses": dict(pool.aux_addresses),
    }
    return {name: value for name, value in said.items() if value}


def volume_body(volume: VolumeRequest, extra_labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /volumes/create`."""
    spec = volume.spec
    body: dict[str, Any] = {
        "Name": volume.name,
        "Driver": spec.driver or "local",
        "Labels": {**dict(spec.labels), **dict(volume.labels), **extra_labels},
    }
    if spec.driver_opts:
        body["DriverOpts"] = dict(spec.driver_opts)
    return body


class Objects:
    """Makes and removes the networks and volumes of one device."""

    def __init__(self, connection: Connection, uuid: str) -> None:
        self._connection = connection
        self._uuid = uuid

    async def create_network(self, network: NetworkRequest) -> None:
        """Make a network, unless ours of that name is there."""
        what = f"create network {network.name}"
        if network.spec.external:
            raise Refused(f"{what}: it is somebody else's to make")
        body = network_body(network, device_labels(self._uuid))
        try:
            await self._connection.fetch("POST", "networks/create", body=body, within_s=MUTATE_S)
        except EngineAnswer as answer:
            if answer.status != 409:
                subnets = ", ".join(pool.subnet for pool in network.spec.ipam_pools if pool.subnet)
                raise object_error(answer, f"{what} ({subnets})" if subnets else what) from answer
            if not await self._networks(network.name):
                raise _name_taken(what) from answer

    async def remove_network(self, name: str) -> None:
        """Remove our networks of that name, if there are any."""
        for network in await self._networks(name):
            await self._delete(f"networks/{network.Id}", f"remove network {name}")

    async def remove_twins(self, name: str) -> None:
        """Keep one of several networks of ours with one name: the one that containers are on.

        An engine makes a second one when it is asked twice at the same moment. Where containers
        are on more than one of them nothing is removed.
        """
        what = f"look at network {name}"
        twins = []
        for network in await self._networks(name):
            try:
                content = await self._connection.fetch(
                    "GET", f"networks/{network.Id}", within_s=LIST_S
                )
            except EngineAnswer as answer:
                raise general(answer, what) from answer
            twins.append(decode(content, _Labelled, what="a network"))
        used = [network for network in twins if network.Containers]
        kept = (used or twins)[:1]
        for network in twins if len(used) <= 1 else ():
            if network not in kept:
                await self._delete(f"networks/{network.Id}", f"remove a second network {name}")

    async def create_volume(self, volume: VolumeRequest) -> None:
        """Make a volume, unless ours of that name is there."""
        what = f"create volume {volume.name}"
        if volume.spec.external:
            raise Refused(f"{what}: it is somebody else's to make")
        body = volume_body(volume, device_labels(self._uuid))
        try:
            content = await self._connection.fetch(
                "POST", "volumes/create", body=body, within_s=MUTATE_S
            )
        except EngineAnswer as answer:
            raise object_error(answer, what) from answer
        # One that was there is given back as it is, whoever made it.
        if not self._ours(decode(content, _Labelled, what="a volume")):
            raise _name_taken(what)

    async def remove_volume(self, name: str) -> None:
        """Remove our volume of that name, data and all, if there is one."""
        path = f"volumes/{quote(name, safe='')}"
        try:
            content = await self._connection.fetch("GET", path, within_s=LIST_S)
        except EngineAnswer as answer:
            if answer.status == 404:
                return
            raise general(answer, f"look at volume {name}") from answer
        if self._ours(decode(content, _Labelled, what="a volume")):
            await self._delete(path, f"remove volume {name}")

    async def _networks(self, name: str) -> list[_Labelled]:
        ours = filters(label=[f"{LABEL_DEVICE}={self._uuid}"])
        try:
            content = await self._connection.fetch(
                "GET",
                "networks",
                params={"filters": ours},
                within_s=LIST_S,
            )
        except EngineAnswer as answer:
            raise general(answer, "list networks") from answer
        found = decode(content, list[_Labelled], what="networks")
        return [network for network in found if network.Name == name]

    async def _delete(self, path: str, what: str) -> None:
        try:
            await self._connection.fetch("DELETE", path, within_s=MUTATE_S)
        except EngineAnswer as answer:
            if answer.status != 404:
                raise general(answer, what) from answer

    def _ours(self, found: _Labelled) -> bool:
        return (found.Labels or {}).get(LABEL_DEVICE) == self._uuid


def _name_taken(what: str) -> Refused:
    return Refused(
        f"{what}: the name is taken by one that is not this device's",
        code="name-taken",
        remedy="remove or rename the other one",
    )
