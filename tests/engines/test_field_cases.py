"""No field without a case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import pytest

from iotistic.model.image import ImageRef
from iotistic.model.objects import IpamPool, NetworkSpec, VolumeSpec
from iotistic.model.service import (
    Device,
    DeviceRequest,
    Healthcheck,
    Logging,
    Mount,
    NetworkAttachment,
    PortBinding,
    RestartPolicy,
    SecretUse,
    ServiceSpec,
    Tmpfs,
    Ulimit,
)
from tests.engines.field_cases import (
    CASES,
    NETWORK_CASES,
    VOLUME_CASES,
    network_of,
    spec_of,
    volume_of,
)

ELSEWHERE = {
    # Names, and whose it is, are not what a network or volume is made with.
    NetworkSpec: {"short_name", "name", "external"},
    VolumeSpec: {"short_name", "name", "external"},
}
PARTS = (
    Device,
    DeviceRequest,
    Healthcheck,
    Logging,
    Mount,
    NetworkAttachment,
    PortBinding,
    RestartPolicy,
    SecretUse,
    Tmpfs,
    Ulimit,
)


def everything() -> Iterator[Any]:
    yield from (spec_of(case.spec) for case in CASES)
    yield from (network_of(case.spec) for case in NETWORK_CASES)
    yield from (volume_of(case.spec) for case in VOLUME_CASES)


def set_fields(values: Iterable[Any]) -> dict[type, set[str]]:
    """By class, the fields that any of the values, or anything in them, sets."""
    found: dict[type, set[str]] = defaultdict(set)
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple):
            waiting.extend(value)
        elif is_dataclass(value) and not isinstance(value, ImageRef):
            for field in fields(value):
                inner = getattr(value, field.name)
                if field.default is MISSING or inner != field.default:
                    found[type(value)].add(field.name)
                waiting.append(inner)
    return found


@pytest.mark.parametrize("kind", [ServiceSpec, NetworkSpec, VolumeSpec, IpamPool, *PARTS])
def test_every_field_has_a_case_that_sets_it(kind: type) -> None:
    wanted = {field.name for field in fields(kind)} - ELSEWHERE.get(kind, set())

    assert wanted - set_fields(everything())[kind] == set()


def test_no_part_of_a_service_is_forgotten() -> None:
    parts = set_fields(everything()).keys() - {ServiceSpec, NetworkSpec, VolumeSpec, IpamPool}

    assert parts == set(PARTS)
