from __future__ import annotations

import pytest

from iotistic.agent.endpoint import parse_endpoint, retry_after_s
from iotistic.model.errors import InvalidField


@pytest.mark.parametrize(
    ("text", "base"),
    [
        pytest.param("https://c.example.com", "https://c.example.com/api", id="appended"),
        pytest.param("https://c.example.com/", "https://c.example.com/api", id="trailing slash"),
        pytest.param("https://c.example.com/api", "https://c.example.com/api", id="kept"),
        pytest.param("https://c.example.com/api/", "https://c.example.com/api", id="kept, slash"),
        pytest.param(
            "https://c.example.com/edge", "https://c.example.com/edge/api", id="below a path"
        ),
        pytest.param(
            "http://127.0.0.1:3002", "http://127.0.0.1:3002/api", id="plain to this machine"
        ),
        pytest.param("http://localhost:3002", "http://localhost:3002/api", id="by name"),
        pytest.param("http://[::1]:3002", "http://[::1]:3002/api", id="by IPv6"),
        pytest.param(
            " https://c.example.com\n", "https://c.example.com/api", id="pasted with spaces"
        ),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, base: str) -> None:
    endpoint = parse_endpoint(text)

    assert endpoint.base == base
    assert endpoint.versioned("/device/x/state") == f"{base}/v1/device/x/state"
    assert endpoint.plain("/provisioning/v2/register") == f"{base}/provisioning/v2/register"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cloud.example.com",
        "ftp://c",
        "https://",
        "https://c:port",
        "http://c.example.com",
        "http://127.0.0.1.example.com",
        "https://user:secret@c.example.com",
        "https://c.example.com?apiKey=secret",
        "https://c.example.com#x",
        "https://c.exa mple.com",
        "https://" + "c" * 3000,
    ],
)
def test_what_is_no_safe_address_is_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse_endpoint(text)

    assert refused.value.path == "CLOUD_API_ENDPOINT"
    assert "secret" not in str(refused.value)


def test_plain_http_elsewhere_needs_a_local_word() -> None:
    endpoint = parse_endpoint("http://c.example.com", allow_insecure=True)

    assert not endpoint.secure
    assert not endpoint.loopback


LATER = "Thu, 09 Oct 2025 08:54:20 GMT"


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        pytest.param(None, None, None, id="nothing said"),
        pytest.param("7", None, 7.0, id="seconds"),
        pytest.param("0", None, 0.0, id="at once"),
        pytest.param("-3", None, None, id="no sense"),
        pytest.param("soon", None, None, id="a word"),
        pytest.param("99999999999999999999", None, 3600.0, id="a year is cut to an hour"),
        pytest.param(LATER, None, None, id="a date, by nobody's clock: ours may be wrong"),
        pytest.param(
            LATER, "Thu, 09 Oct 2025 08:54:10 GMT", 10.0, id="a date, by the cloud's clock"
        ),
        pytest.param(LATER, "Thu, 09 Oct 2025 09:54:10 GMT", 0.0, id="a date that has passed"),
        pytest.param(LATER, "nonsense", None, id="a date, the cloud's clock is none"),
    ],
)
def test_how_long_the_cloud_wants_to_be_left_alone(
    value: str | None, date: str | None, expected: float | None
) -> None:
    assert retry_after_s(value, date=date) == expected
