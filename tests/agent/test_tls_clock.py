"""A certificate that does not fit the clock of the device, over real TLS."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.http import CloudHttp
from iotistic.agent.logs import LogBook
from iotistic.agent.store import CloudLink
from iotistic.agent.sync import SyncIntervals
from iotistic.agent.sync.poller import Poller
from iotistic.agent.validity import fetch_validity, read_validity
from iotistic.model.errors import CloudUnavailable
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect
from tests.agent.certificates import authority, server_context
from tests.agent.provisioning.builders import JumpingClock
from tests.agent.test_http import replying, serving
from tests.agent.virtual_clock import VirtualClock

YOUNG = (1.0, 2.0)
OLD = (-3.0, 1.0)


async def failure(folder: Path, dates: tuple[float, float], *, in_doubt: bool) -> CloudUnavailable:
    begins, days = dates
    tls = server_context(folder, authority(), valid_from_days=begins, valid_days=days)
    async with serving(replying(), tls) as url:
        http = CloudHttp(
            url,
            clock=JumpingClock(),
            ca_cert=authority().pem,
            clock_in_doubt=lambda: in_doubt,
        )
        async with http:
            with pytest.raises(CloudUnavailable) as failed:
                await http.request("GET", "/x")
    return failed.value


@pytest.mark.parametrize(("dates", "seems"), [(YOUNG, "not valid yet"), (OLD, "expired")])
async def test_while_the_clock_is_in_doubt_both_dates_are_told(
    tmp_path: Path, dates: tuple[float, float], seems: str
) -> None:
    error = await failure(tmp_path, dates, in_doubt=True)

    assert error.code == "tls-clock"
    assert seems in error.message
    assert "it says 2025-10-09" in error.message, "the date of the device's clock"
    assert str(datetime.now(UTC).year) in error.message, "the dates of the certificate"
    assert "set the clock" in (error.remedy or "")


@pytest.mark.parametrize(
    ("dates", "code"),
    [(YOUNG, "certificate-not-yet-valid"), (OLD, "certificate-expired")],
)
async def test_while_the_clock_is_kept_right_it_is_the_certificate(
    tmp_path: Path, dates: tuple[float, float], code: str
) -> None:
    error = await failure(tmp_path, dates, in_doubt=False)

    assert error.code == code


async def test_a_certificate_of_somebody_else_is_that_whatever_the_clock_says(
    tmp_path: Path,
) -> None:
    async with serving(replying(), server_context(tmp_path, authority("two"))) as url:
        http = CloudHttp(
            url, clock=JumpingClock(0), ca_cert=authority().pem, clock_in_doubt=lambda: True
        )
        async with http:
            with pytest.raises(CloudUnavailable) as failed:
                await http.request("GET", "/x")

    assert failed.value.code == "certificate-untrusted"


async def test_the_dates_are_those_of_the_certificate(tmp_path: Path) -> None:
    async with serving(replying(), server_context(tmp_path, authority())) as url:
        found = await fetch_validity(url)

    assert found is not None
    assert found.begins < datetime.now(UTC) < found.ends
    assert await fetch_validity(url) is None, "nobody is there any more"


def test_the_dates_of_an_authority_are_read_as_the_library_reads_them() -> None:
    found = read_validity(authority().der)

    assert found is not None
    assert found.begins == authority().certificate.not_valid_before_utc
    assert found.ends == authority().certificate.not_valid_after_utc


@given(st.data())
def test_half_and_broken_certificates_have_no_dates_or_some_and_never_fail(
    data: st.DataObject,
) -> None:
    whole = bytearray(authority().der)
    del whole[data.draw(st.integers(0, len(whole))) :]
    for at, byte in data.draw(st.dictionaries(st.integers(0, 200), st.integers(0, 255))).items():
        if at < len(whole):
            whole[at] = byte

    found = read_validity(bytes(whole))

    assert found is None or found.begins.tzinfo is UTC


async def test_it_is_asked_again_and_again_until_the_clock_is_right(tmp_path: Path) -> None:
    clock = VirtualClock(sleepers=1)
    book = LogBook(clock, output=io.StringIO())
    tls = server_context(tmp_path, authority(), valid_from_days=-3, valid_days=1)
    async with (
        serving(replying(), tls) as url,
        CloudHttp(url, clock=clock, ca_cert=authority().pem, clock_in_doubt=lambda: True) as http,
    ):
        poller = Poller(
            http=http,
            link=CloudLink(
                endpoint=url, dialect=Dialect.V2, device_id="1", api_key=Secret("k" * 20)
            ),
            uuid="u",
            held_etag=None,
            offer=not_offered,
            intervals=SyncIntervals,
            clock=clock,
            rng=Random(1),
            log=book.logger(),
        )
        task = asyncio.ensure_future(poller.run())
        await clock.advance(600)
        task.cancel()
        await asyncio.wait([task])

    health = poller.channel.health
    assert health.failures >= 10, "at least once a minute"
    assert health.error is not None
    assert health.error.code == "tls-clock"
    assert len([r for r in book.records() if r["level"] == "warning"]) <= 3, "told when it is new"


async def not_offered(document: object, etag: str | None) -> None:
    raise AssertionError(document, etag)
