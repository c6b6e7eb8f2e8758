"""How an engine is set up, as its `/info` says it."""

from __future__ import annotations

import json

import pytest

from iotistic.engines.docker.traits import read_traits
from iotistic.model.errors import EngineUnavailable


def test_what_is_told_is_read_and_bounded() -> None:
    found = read_traits(
        json.dumps(
            {"Driver": "overlay2", "LiveRestoreEnabled": True, "Warnings": ["w" * 999] * 99}
        ).encode()
    )
    assert (found.storage_driver, found.live_restore) == ("overlay2", True)
    assert [len(text) for text in found.warnings] == [200] * 20


def test_what_an_engine_leaves_out_it_has_not_got() -> None:
    found = read_traits(b'{"Warnings": null}')
    assert (found.storage_driver, found.live_restore, found.warnings) == ("", False, ())


def test_what_is_no_answer_is_none() -> None:
    with pytest.raises(EngineUnavailable):
        read_traits(b"<html>")
