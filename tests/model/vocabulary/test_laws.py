"""What holds of every target, whatever is in it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from iotistic.model.errors import InvalidField
from iotistic.model.target import ServiceTarget, parse_target
from iotistic.planner import normalize
from tests.model.vocabulary.builders import document
from tests.model.vocabulary.configs import FORMS, SECRETS, configs, written

KEY = bytes(range(32))
APP_FIELDS = ("networks", "volumes", "secrets", "release", "strategy", "verify", "lock", "services")
FURTHER = (
    "cpu_quota", "cpu_period", "cpu_rt_period", "mem_reservation", "memswap_limit", "network_mode",
    "depends_on", "pull_policy", "update_lock", "deploy", "resources", "build", "links", "scale",
    "image", "workingDir", "readonlyRootfs", "container_name",
)  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(("1m", "a:b", "/a:/b", "host", "a=b", "²", "1-2", "{", "0o7", "[::1]")),
    lambda children: st.lists(children, max_size=3)
    | st.dictionaries(
        st.text(max_size=5)
        | st.sampled_from(
            ("target", "source", "type", "name", "driver", "config", "ipam", "limits", "test",
             "count", "soft", "hard", "value", "kind", "options", "published", "external", "size")
        ),
        children,
        max_size=3,
    ),
    max_leaves=12,
)  # fmt: skip


def read(config: Any, **app: Any) -> ServiceTarget | None:
    """The service that a configuration means, None if it is refused. Nothing else may happen."""
    try:
        return parse_target(document(config, **{"secrets": SECRETS, **app})).apps[0].services[0]
    except InvalidField:
        return None


@given(st.sampled_from((*sorted(FORMS), *FURTHER)), json_values)
def test_whatever_a_field_of_a_service_holds_is_read_or_refused(field: str, value: Any) -> None:
    service = read({field: value})

    assert service is None or service.service_name == "web"


@given(st.sampled_from(APP_FIELDS), json_values)
def test_whatever_a_field_of_an_app_holds_is_read_or_refused(field: str, value: Any) -> None:
    try:
        found = parse_target(document({}, **{field: value})).apps[0].app_name
    except InvalidField as fault:
        found = fault.path

    assert found


@given(configs())
def test_what_was_read_can_be_written_in_one_form_and_is_read_the_same(
    config: dict[str, Any],
) -> None:
    service = read(config)
    assume(service is not None)
    assert service is not None

    again = read(written(service.spec))

    assert again is not None
    assert again.spec == service.spec
    assert form_of(again) == form_of(service)


@given(configs(), st.randoms(use_true_random=False))
def test_the_order_in_which_a_target_names_things_makes_no_other_container(
    config: dict[str, Any], rng: random.Random
) -> None:
    ordered = {"command", "entrypoint", "dns", "dns_search", "healthcheck"}
    mixed = {
        name: value if name in ordered else shuffled(value, rng) for name, value in config.items()
    }
    service, other = read(config), read(dict(sorted(mixed.items())))
    assume(service is not None)

    assert service is not None
    assert other is not None
    assert form_of(other) == form_of(service)


@given(configs())
def test_a_container_like_its_target_has_no_drift(config: dict[str, Any]) -> None:
    service = read(config)
    assume(service is not None)
    assert service is not None
    found = replace(service.spec, networks=normalize.attachments(service.spec))

    differences = normalize.drift(service.spec, found, service_name="web", key=KEY, born=None)

    assert differences == ()


@given(
    configs(),
    st.sampled_from(sorted(FORMS.keys() - {"environment", "secrets"})),
    json_values,
    st.sampled_from(({"TOKEN": "hunter2"}, {"TOKEN": ["hunter3"]}, ["hunter4 5"], "hunter7")),
    st.sampled_from(
        ({"one": {"value": "hunter8"}}, {"one": {"valve": "hunter9"}}, {"one": "hunter10"})
    ),
)
def test_no_fault_and_no_warning_shows_a_value_that_may_be_secret(
    config: dict[str, Any], field: str, junk: Any, environment: Any, secrets: Any
) -> None:
    config = {**config, field: junk, "environment": environment, "secrets": ["one"]}
    try:
        said = repr(parse_target(document(config, secrets=secrets)))
    except InvalidField as fault:
        said = f"{fault} {fault.details()}"

    assert "hunter" not in said


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, list):
        return rng.sample(value, len(value))
    if isinstance(value, dict):
        return {name: value[name] for name in rng.sample(list(value), len(value))}
    return value


def form_of(service: ServiceTarget) -> dict[str, Any]:
    return normalize.normal_form(service.spec, service_name="web", key=KEY)
