"""Secrets are taken out of a target and put back to the letter."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.store.sealed_document import (
    sealed_values,
    secret_values,
    with_opened,
    with_values,
)
from iotistic.model.canonical import canonical_json

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
fields = st.sampled_from(["environment", "password", "apiKey", "image", "a/b", "a~b", "a~1b", "0"])
documents = st.dictionaries(
    fields,
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner)
    ),
)


@given(documents)
def test_sealing_and_opening_is_the_identity(document: dict[str, Any]) -> None:
    taken = secret_values(document)
    sealed = with_values(document, {place: f"v1:{n}" for n, place in enumerate(taken)})
    by_text = dict(zip((f"v1:{n}" for n in range(len(taken))), taken.values(), strict=True))
    opened = {place: by_text[text] for place, text in sealed_values(sealed).items()}
    assert canonical_json(with_opened(sealed, opened)) == canonical_json(document)


@given(documents)
def test_each_secret_has_a_place_of_its_own_and_none_is_left_in_the_document(
    document: dict[str, Any],
) -> None:
    taken = secret_values(document)
    sealed = with_values(document, dict.fromkeys(taken, "v1:x"))
    assert sealed_values(sealed) == dict.fromkeys(taken, "v1:x")


def test_what_is_secret() -> None:
    service = {
        "imageName": "web:1",
        "config": {
            "environment": {"A": "1", "B": None},
            "labels": {"note": "open"},
            "registry": {"username": "u", "password": "p"},
        },
    }
    app = {
        "services": [service],
        "secrets": {"db": {"value": "s", "note": None}},
        "volumes": {"share": {"driver": "local", "driver_opts": {"o": "password=p"}}},
    }
    assert secret_values(app) == {
        "/services/0/config/environment/A": '"1"',
        "/services/0/config/registry/password": '"p"',
        "/secrets/db/value": '"s"',
        "/volumes/share/driver_opts/o": '"password=p"',
    }


def test_environments_and_secrets_in_their_long_forms_are_secret() -> None:
    app = {
        "secrets": [{"name": "db", "value": "s"}],
        "volumes": [{"name": "share", "driverOpts": {"o": "password=p"}}],
        "services": [{"config": {"environment": ["A=1"], "secrets": [{"source": "db"}]}}],
    }
    assert sorted(secret_values(app).values()) == ['"A=1"', '"db"', '"db"', '"password=p"', '"s"']


def test_what_an_earlier_version_left_in_the_clear_is_opened_as_it_is() -> None:
    document = {"driver_opts": {"type": "nfs"}, "environment": {"A": "v1:sealed"}}
    assert sealed_values(document) == {"/environment/A": "v1:sealed"}
    opened = with_opened(document, {"/environment/A": '"1"'})
    assert opened == {"driver_opts": {"type": "nfs"}, "environment": {"A": "1"}}
