"""`ContainerRequest` -> the body of `POST /containers/create`. Pure; a table in the tests.

A field the specification does not set is not in the body either, so that the image's or the
engine's own default holds. What each field becomes is in `fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.engines.docker.fields import (
    hardware,
    network,
    process,
    resources,
    security,
    storage,
)
from iotistic.model.container import ContainerRequest


def create_body(
    request: ContainerRequest,
    extra_labels: Mapping[str, str],
    *,
    api: tuple[int, int],
    entrypoint: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """The body as the API of that version takes it; `extra_labels` win over the request's.

    `entrypoint` stands in for one that the request does not say.
    """
    spec = request.spec
    return {
        "Image": request.image_id or spec.image.familiar,
        "Labels": {**dict(request.labels), **extra_labels},
        **process.write(request, entrypoint if spec.entrypoint is None else spec.entrypoint),
        **network.write(request, api),
        "HostConfig": {
            **process.write_host(request),
            **resources.write(request),
            **security.write(request),
            **hardware.write(request),
            **network.write_host(request),
            **storage.write(request),
        },
    }
