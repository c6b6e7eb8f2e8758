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
    assert secret_values({"services": [service]}) == {
        "/services/0/config/environment/A": '"1"',
        "/services/0/config/registry/password": '"p"',
    }
