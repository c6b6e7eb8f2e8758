"""What an engine would say of a container, from the body it would be made with: no engine needed.

With the defaults that Docker 20.10 fills in, the variables of an image, and the names by which it
lets the container answer.
"""

from __future__ import annotations

import json
from typing import Any

from iotistic.engines.docker.fields.network import endpoint
from iotistic.engines.docker.mapping import create_body
from iotistic.model.container import ContainerRequest

CONTAINER_ID = "8f" * 32
_CONFIG = {
    "Hostname": CONTAINER_ID[:12],
    "Domainname": "",
    "User": "",
    "Tty": False,
    "OpenStdin": False,
    "Cmd": ["/bin/sh"],
    "WorkingDir": "",
    "Entrypoint": None,
    "Volumes": None,
    "OnBuild": None,
}
_HOST = {
    "Binds": None,
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "default",
    "PortBindings": {},
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "host",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67_108_864,
    "Runtime": "runc",
    "Memory": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": [],
    "Devices": [],
    "DeviceRequests": None,
    "MaskedPaths": ["/proc/kcore"],
    "ReadonlyPaths": ["/proc/sys"],
}


def fake_inspect(request: ContainerRequest, *, api: tuple[int, int] = (1, 41)) -> dict[str, Any]:
    """The answer of `GET /containers/ID/json`, right after it was made."""
    body = json.loads(json.dumps(create_body(request, {"iotistic.device": "u"}, api=api)))
    host = _HOST | body.pop("HostConfig")
    joined = body.pop("NetworkingConfig", {}).get("EndpointsConfig", {})
    for number, joining in enumerate(request.networks[1:], 1):
        joined[joining.network] = endpoint(request, number)
    config = _CONFIG | body
    _as_the_engine_keeps_it(config, host, body)
    for settings in joined.values():
        names = [CONTAINER_ID[:12], config["Hostname"]]
        settings["Aliases"] = [*settings.get("Aliases", []), *names]
        settings.setdefault("IPAMConfig", None)
    return {
        "Id": CONTAINER_ID,
        "Name": f"/{request.name}",
        "RestartCount": 0,
        "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"},
        "Config": config,
        "HostConfig": host,
        "Mounts": [_point(mount) for mount in host.get("Mounts", [])],
        "NetworkSettings": {"Networks": joined},
    }


def _as_the_engine_keeps_it(
    config: dict[str, Any], host: dict[str, Any], body: dict[str, Any]
) -> None:
    names = {line.partition("=")[0] for line in body.get("Env", [])}
    config["Env"] = [*body.get("Env", []), *(["PATH=/bin"] if "PATH" not in names else [])]
    if "Entrypoint" in body and "Cmd" not in body:
        config["Cmd"] = None
    if config["Entrypoint"] == [""]:
        config["Entrypoint"] = None
    for side in ("CapAdd", "CapDrop"):
        if host[side]:
            host[side] = [name if name == "ALL" else f"CAP_{name}" for name in host[side]]
    host["LogConfig"] = {
        "Type": host["LogConfig"].get("Type") or "json-file",
        "Config": {"mode": "blocking", **host["LogConfig"].get("Config", {})},
    }


def _point(mount: dict[str, Any]) -> dict[str, Any]:
    named = mount["Type"] == "volume"
    propagation = mount.get("BindOptions", {}).get("Propagation", "rprivate")
    return {
        "Type": mount["Type"],
        "Name": mount["Source"] if named else "",
        "Source": f"/var/lib/docker/volumes/{mount['Source']}" if named else mount["Source"],
        "Destination": mount["Target"],
        "RW": not mount["ReadOnly"],
        "Propagation": "" if named else propagation,
    }
