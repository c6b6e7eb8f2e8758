"""Names and labels of what we make in an engine.

Objects are *found* by the label `iotistic.device`; names only have to be readable and not to
collide, so they end in the first eight digits of the device's uuid.
"""

from __future__ import annotations

import re

LABEL_MANAGED = "iotistic.managed"
LABEL_DEVICE = "iotistic.device"
LABEL_APP_ID = "iotistic.app-id"
LABEL_APP_NAME = "iotistic.app-name"
LABEL_SERVICE_ID = "iotistic.service-id"
LABEL_SERVICE_NAME = "iotistic.service-name"
LABEL_CONFIG_HASH = "iotistic.config-hash"
LABEL_SPEC_FIELDS = "iotistic.spec-fields"
LABEL_NAME = "iotistic.name"
OUR_LABELS = frozenset(
    {
        LABEL_MANAGED,
        LABEL_DEVICE,
        LABEL_APP_ID,
        LABEL_APP_NAME,
        LABEL_SERVICE_ID,
        LABEL_SERVICE_NAME,
        LABEL_CONFIG_HASH,
        LABEL_SPEC_FIELDS,
        LABEL_NAME,
    }
)

DEFAULT_NETWORK = "default"
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.-]+")


def container_name(uuid: str, app_name: str, service_name: str, service_id: str) -> str:
    """`{appName}_{serviceName}_{serviceId}-{uuid8}`."""
    return f"{_plain(app_name)}_{_plain(service_name)}_{_plain(service_id)}-{uuid[:8]}"


def object_name(uuid: str, app_id: int, short_name: str) -> str:
    """The engine's name for a network or volume of an app: `{appId}_{name}-{uuid8}`."""
    return f"{app_id}_{short_name}-{uuid[:8]}"


def object_labels(uuid: str, app_id: int, short_name: str) -> dict[str, str]:
    """The labels of a network or volume of an app."""
    return {**device_labels(uuid), LABEL_APP_ID: str(app_id), LABEL_NAME: short_name}


def device_labels(uuid: str) -> dict[str, str]:
    """The two labels that everything of ours carries."""
    return {LABEL_MANAGED: "true", LABEL_DEVICE: uuid}


def _plain(text: str) -> str:
    return _NOT_ALLOWED.sub("-", text)
