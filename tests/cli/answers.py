"""What an agent says, as docs/reference/device-api.md has it."""

from __future__ import annotations

import time
from typing import Any

UUID = "9f0c1f2e-1111-4222-8333-444455556666"


def before(seconds: float) -> int:
    """A wall time that lies so far back, half a second more to be sure of the full second."""
    return int((time.time() - seconds - 0.5) * 1000)


def error(code: str = "some-code", message: str = "it failed", remedy: str | None = None) -> Any:
    return {"code": code, "message": message, "remedy": remedy}


def device(**changes: Any) -> dict[str, Any]:
    return {
        "uuid": UUID,
        "deviceId": "17",
        "deviceName": "pump-3",
        "deviceType": "edge-gateway",
        "provisioned": True,
        "apiEndpoint": "https://cloud.example.com",
        "agentVersion": "0.1.0",
        "apps": 1,
        "status": "online",
        **changes,
    }


def provisioning(**changes: Any) -> dict[str, Any]:
    return {
        "provisioned": True,
        "phase": "provisioned",
        "uuid": UUID,
        "deviceId": "17",
        "deviceName": "pump-3",
        "deviceType": "edge-gateway",
        "apiEndpoint": "https://cloud.example.com",
        "dialect": "v2",
        "registeredAt": 1760000000000,
        "hasKey": False,
        "attempts": 0,
        "retryInMs": None,
        "error": None,
        "final": False,
        "idle": None,
        "farewell": False,
        "resetting": False,
        **changes,
    }


def unprovisioned(**changes: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("deviceId", "apiEndpoint", "dialect", "registeredAt"))
    return provisioning(**{"provisioned": False, "phase": "new", **nothing, **changes})


def verdict(**changes: Any) -> dict[str, Any]:
    return {
        "appId": 1001,
        "appName": "shop",
        "verdict": "settled",
        "reason": "",
        "servicesSettled": 2,
        "servicesTotal": 2,
        **changes,
    }


def status(**changes: Any) -> dict[str, Any]:
    return {
        "device": device(),
        "agent": {
            "version": "0.1.0",
            "pid": 4711,
            "startedAt": 1760000000000,
            "uptime": 3725,
            "stateDir": "/var/lib/iotistic",
            "databasePath": "/var/lib/iotistic/device.sqlite",
            "port": 48484,
        },
        "provisioning": provisioning(),
        "cloud": {
            "state": "online",
            "since": before(7200),
            "lastContactAt": before(4),
            "error": None,
            "channels": [],
        },
        "engine": {"kind": "docker", "available": True, "version": "20.10.24", "error": None},
        "target": {
            "version": 7,
            "receivedAt": before(100),
            "appliedAt": before(90),
            "offeredVersion": 7,
            "refusal": None,
        },
        "settled": True,
        "apps": [verdict()],
        "warnings": [],
        **changes,
    }


def service(**changes: Any) -> dict[str, Any]:
    return {
        "appId": 1001,
        "appName": "shop",
        "serviceId": "1",
        "serviceName": "web",
        "imageName": "web:2",
        "state": "running",
        "status": "running",
        "serviceStatus": "running",
        "containerId": "4f1c",
        "containerName": "shop_web_1-9f0c1f2e",
        "health": None,
        "exitCode": None,
        "createdAt": before(65),
        "settled": True,
        "next": None,
        "why": "as wanted",
        "retryInMs": None,
        "override": None,
        "error": None,
        "config": {
            "image": "web:2",
            "ports": ["8080:80/tcp"],
            "volumes": [],
            "networks": ["default"],
            "networkMode": None,
            "restart": "unless-stopped",
            "environment": ["MODE"],
            "labels": {},
        },
        **changes,
    }


def app(**changes: Any) -> dict[str, Any]:
    return {**verdict(), "services": [service()], **changes}


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "settled": False,
        "targetVersion": 7,
        "decidedAt": 1760000000000,
        "round": 12,
        "askAgainInMs": 5000,
        "apps": [
            {
                **verdict(verdict="waiting", servicesSettled=1),
                "services": [
                    {"serviceId": "1", "serviceName": "web", "settled": False},
                    {"serviceId": "2", "serviceName": "db", "settled": True},
                ],
            }
        ],
        "steps": [],
        "waits": [
            {
                "reason": "image-pulling",
                "appId": 1001,
                "serviceId": "1",
                "serviceName": "web",
                "subject": "1001/service/1",
                "message": "web:2, 62 %",
                "inMs": 5000,
            }
        ],
        "engineError": None,
        "refusal": None,
        **changes,
    }


def acted(what: str, **changes: Any) -> dict[str, Any]:
    return {
        "appId": 1001,
        "status": what,
        "containerId": "4f1c",
        "services": [
            {"serviceId": "1", "serviceName": "web", "containerId": "4f1c", "status": what}
        ],
        **changes,
    }
