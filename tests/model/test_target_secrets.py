"""What people see of a target, and what becomes of the masks they hand back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.model.errors import MASK, InvalidField
from iotistic.model.target_secrets import hidden, restored

param = pytest.param

HUSH = "hush-hush"


def target(config: Any = None, **app: Any) -> dict[str, Any]:
    return {"apps": {"7": {"appId": 7, "appName": "shop", **app}}, "config": config or {}}


def service(service_id: Any = "1", **config: Any) -> dict[str, Any]:
    return {"serviceId": service_id, "serviceName": f"s{service_id}", "config": config}


WITH_SECRETS = [
    param(target(services=[service(environment={"A": HUSH})]), id="environment"),
    param(target(services=[service(environment=[f"A={HUSH}", "B", "C="])]), id="as a list"),
    param(target(services=[{**service(), "environment": {"A": HUSH}}]), id="in a wrong place"),
    param(target(services=[{**service(), "environment": HUSH}]), id="in no form"),
    param(target(services=[service(environment=[{"A": HUSH}])]), id="in a wrong form"),
    param(target(secrets={"pw": {"value": HUSH}}), id="secrets of an app"),
    param(target(secrets={"pw": HUSH}), id="secrets in a wrong form"),
    param(target({"registries": [{"url": "r", "secret": HUSH}]}), id="a name that sounds secret"),
    param(target({"mqtt": {"password": HUSH, "user": "u"}}), id="a password"),
    param(target({"tokens": [HUSH, {"a": HUSH}]}), id="all below such a name"),
    param(target({"url": f"mqtts://u:{HUSH}@host"}), id="a password in an address"),
    param(target(volumes={"v": {"driver_opts": {"o": f"user=u,password={HUSH}"}}}), id="options"),
    param(target(services=[service(command=["a", f"--db-password={HUSH}"])]), id="a command"),
    param(target({"key": f"-----BEGIN PRIVATE KEY-----{HUSH}"}), id="a private key"),
    param(target(services=[service(labels={"api_token": HUSH})]), id="a label"),
]


@pytest.mark.parametrize("whole", WITH_SECRETS)
def test_a_secret_is_hidden_and_a_document_that_comes_back_keeps_it(whole: Any) -> None:
    shown = hidden(whole)

    assert HUSH not in str(shown)
    assert MASK in str(shown)
    assert restored(shown, whole) == whole


def test_what_is_no_secret_is_shown() -> None:
    whole = target(
        {"environment": "production", "token_ttl": 300, "password": ""},
        services=[
            service(
                environment=["A"],
                secrets=["pw", {"source": "pw", "environment": "PW"}],
                labels={"a": MASK},
                tty=True,
            )
        ],
        networks={"front": None},
        secrets={},
    )

    assert hidden(whole) == whole
    assert restored(whole, target()) == whole


def test_numbers_are_secrets_where_their_name_says_so() -> None:
    assert hidden({"password": 1234, "token_ttl": 5}) == {"password": MASK, "token_ttl": 5}
    assert hidden({"environment": {"A": 5, "B": None}}) == {"environment": {"A": MASK, "B": None}}


def test_a_secret_is_found_again_by_its_service_wherever_that_stands_now() -> None:
    before = target(
        services=[service("1", environment={"A": "one"}), service(2, environment={"A": "two"})]
    )
    after = target(
        services=[
            service("2", environment={"A": MASK, "B": "new"}),
            service("1", environment=[f"A={MASK}"]),
        ]
    )

    services = restored(after, before)["apps"]["7"]["services"]

    assert services[0]["config"]["environment"] == {"A": "two", "B": "new"}
    assert services[1]["config"]["environment"] == ["A=one"]


def test_a_value_that_was_a_number_stays_one() -> None:
    before = {"environment": {"PORT": 8080, "ON": True}}

    assert restored({"environment": {"PORT": MASK, "ON": MASK}}, before) == before
    assert restored({"environment": [f"PORT={MASK}", f"ON={MASK}"]}, before) == {
        "environment": ["PORT=8080", "ON=true"]
    }


@pytest.mark.parametrize(
    ("after", "path"),
    [
        param(
            target(services=[service(environment={"NEW": MASK})]),
            "apps.7.services[0].config.environment.NEW",
            id="another variable",
        ),
        param(
            target(services=[service("9", environment={"A": MASK})]),
            "apps.7.services[0].config.environment.A",
            id="another service",
        ),
        param(target(secrets={"x": {"value": MASK}}), "apps.7.secrets.x.value", id="a secret"),
        param({"config": {"password": MASK}}, "config.password", id="a setting"),
    ],
)
def test_a_mask_that_stands_for_nothing_is_refused(after: Any, path: str) -> None:
    before = target(services=[service(environment={"A": HUSH})])

    with pytest.raises(InvalidField, match="the mask") as refused:
        restored(after, before)

    assert refused.value.path == path


URL, OTHER = (f"amqp://me:{word}@bus" for word in ("hunter2", "hunter3"))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        param(["a", URL], ["a", "-v", MASK], ["a", "-v", URL], id="a word more"),
        param(["a", URL, OTHER], [MASK, MASK], [URL, OTHER], id="a word less"),
        param(["a", MASK, URL], [MASK, "a", MASK], [MASK, "a", URL], id="a mask that is a text"),
        param(["a", "b"], ["a", MASK], ["a", MASK], id="nothing was hidden"),
    ],
)
def test_a_mask_among_words_stands_for_what_was_hidden_in_their_order(
    before: list[str], after: list[str], expected: list[str]
) -> None:
    assert restored({"command": after}, {"command": before}) == {"command": expected}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        param({"command": [URL, OTHER]}, {"command": [MASK]}, id="one of two"),
        param({"command": ["a", URL]}, {"command": [MASK, MASK]}, id="two for one"),
        param({"labels": {"a": URL}}, {"labels": {"b": MASK}}, id="under another name"),
        param({"labels": {"a": URL}}, {"labels": {"token": MASK}}, id="under a secret name"),
    ],
)
def test_a_mask_that_may_stand_for_another_text_is_refused(before: Any, after: Any) -> None:
    with pytest.raises(InvalidField, match="the mask"):
        restored(after, before)


names = st.sampled_from(["a", "password", "environment", "secrets", "value", "serviceId", "token"])
scalars = st.none() | st.booleans() | st.integers(0, 9) | st.text("ab=", max_size=4)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)


@given(documents)
def test_hiding_twice_hides_no_more(document: Any) -> None:
    assert hidden(hidden(document)) == hidden(document)


@given(st.dictionaries(names, documents, max_size=3))
def test_what_nobody_changed_is_kept_as_it_was(document: Any) -> None:
    unique = _with_unique_ids(document)

    assert restored(hidden(unique), unique) == unique


def _with_unique_ids(value: Any, at: str = "") -> Any:
    """Entries of a list can be told apart, as in a target they can."""
    if isinstance(value, dict):
        return {
            name: at if name == "serviceId" else _with_unique_ids(item, f"{at}.{name}")
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_with_unique_ids(item, f"{at}{n}") for n, item in enumerate(value)]
    return value
