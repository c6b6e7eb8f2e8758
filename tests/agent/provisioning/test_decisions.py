"""What is decided, case by case."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from iotistic.agent.http import CloudConflict, CloudRefused
from iotistic.agent.provisioning import DialectChoice, decisions, transitions
from iotistic.agent.provisioning.decisions import RESUME, Idle, Offer, Task, Wish
from iotistic.agent.provisioning.registration import candidates
from iotistic.agent.provisioning.replies import Joined
from iotistic.agent.store.records import CloudLink, Identity, ProvisioningPhase
from iotistic.model.errors import CloudUnavailable, IotisticError, Refused
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect
from tests.agent.provisioning.builders import KEY, NOW_MS, OTHER_KEY, identity, link, provisioned

HERE = "https://cloud.example.com"
ELSEWHERE = "https://other.example.com"
SPENT = decisions.key_hash(Secret(KEY))
DEPROVISIONED = ProvisioningPhase.DEPROVISIONED


def offer(key: str | None = KEY, endpoint: str | None = HERE, ca: str | None = None) -> Offer:
    return Offer(api_key=Secret(key) if key else None, endpoint=endpoint, ca_cert=ca)


def wish(key: str = KEY, endpoint: str = HERE) -> Wish:
    return Wish(api_key=Secret(key), endpoint=endpoint)


def pending(key: str = OTHER_KEY, endpoint: str = ELSEWHERE, **changes: Any) -> Identity:
    return replace(transitions.begin(identity(), wish(key, endpoint)), **changes)


@pytest.mark.parametrize(
    ("found", "offered", "missing", "expected"),
    [
        pytest.param(identity(), offer(), False, wish(), id="new, key at hand: join"),
        pytest.param(identity(), offer(None), False, Idle.NO_KEY, id="new, no key: wait"),
        pytest.param(identity(), offer(endpoint=None), False, Idle.NO_ENDPOINT, id="nowhere to go"),
        pytest.param(
            identity(spent_key_hash=SPENT), offer(), False, Idle.KEY_SPENT, id="reset, same key"
        ),
        pytest.param(
            identity(spent_key_hash=SPENT),
            offer(OTHER_KEY),
            False,
            wish(OTHER_KEY),
            id="reset, another key: join",
        ),
        pytest.param(
            pending(), offer(None), False, wish(OTHER_KEY, ELSEWHERE), id="pending: go on"
        ),
        pytest.param(pending(), offer(), False, wish(), id="pending, corrected: the new key"),
        pytest.param(
            pending(spent_key_hash=SPENT),
            offer(),
            False,
            wish(OTHER_KEY, ELSEWHERE),
            id="pending by a person's word: the environment is older",
        ),
        pytest.param(provisioned(), offer(), False, Idle.JOINED, id="in a cloud: stay"),
        pytest.param(provisioned(), offer(), True, wish(), id="database deleted: anew"),
        pytest.param(
            provisioned(spent_key_hash=SPENT), offer(), True, wish(), id="also with the same key"
        ),
        pytest.param(provisioned(), offer(None), True, Idle.JOINED, id="deleted, no key: stay"),
        pytest.param(
            provisioned(),
            offer(endpoint=None),
            True,
            wish(endpoint="https://cloud.example.com/api"),
            id="deleted, no address: where it was",
        ),
        pytest.param(
            identity(phase=DEPROVISIONED, spent_key_hash=SPENT),
            offer(),
            False,
            Idle.KEY_SPENT,
            id="left: the same key is ignored",
        ),
        pytest.param(
            identity(phase=DEPROVISIONED, spent_key_hash=SPENT),
            offer(),
            True,
            Idle.KEY_SPENT,
            id="left, database deleted: still ignored",
        ),
    ],
)
def test_whether_to_join(
    found: Identity, offered: Offer, missing: bool, expected: Wish | Idle
) -> None:
    assert decisions.wish_of(found, offered, database_was_missing=missing) == expected


@pytest.mark.parametrize(
    ("found", "here", "expected"),
    [
        pytest.param("this", "this", wish(), id="the same machine"),
        pytest.param("that", "this", Idle.MACHINE_CHANGED, id="another machine"),
        pytest.param("", "this", wish(), id="never noted: nothing to compare"),
        pytest.param("that", "", wish(), id="a machine without an id"),
    ],
)
def test_a_copied_disk_joins_nothing(found: str, here: str, expected: Wish | Idle) -> None:
    assert decisions.wish_of(identity(machine_hash=found), offer(), machine_hash=here) == expected


@pytest.mark.parametrize("phase", ProvisioningPhase)
def test_every_phase_has_a_meaning_for_the_next_start(phase: ProvisioningPhase) -> None:
    found = {
        ProvisioningPhase.NEW: identity(),
        ProvisioningPhase.PENDING: pending(),
        ProvisioningPhase.REGISTERED: provisioned(phase=ProvisioningPhase.REGISTERED),
        ProvisioningPhase.PROVISIONED: provisioned(),
        DEPROVISIONED: transitions.left(provisioned(), offered=None),
    }[phase]
    nothing_offered = decisions.wish_of(found, offer(None, None))

    todo = [
        task
        for task in decisions.tasks(found, nothing_offered, resetting=False)
        if task is not Task.FAREWELL
    ]

    assert todo == ([RESUME[phase]] if RESUME[phase] else [])


FAREWELL: dict[str, Any] = {"farewell": link()}


@pytest.mark.parametrize(
    ("found", "joins", "resetting", "expected"),
    [
        pytest.param(identity(), Idle.NO_KEY, False, (), id="nothing to do"),
        pytest.param(identity(), wish(), False, (Task.JOIN,), id="join"),
        pytest.param(identity(), wish(), True, (Task.RESET,), id="a reset before all"),
        pytest.param(
            identity(**FAREWELL), Idle.NO_KEY, False, (Task.FAREWELL,), id="tell the cloud"
        ),
        pytest.param(
            identity(**FAREWELL), wish(), False, (Task.JOIN,), id="not the one we return to"
        ),
        pytest.param(
            identity(**FAREWELL),
            wish(endpoint=ELSEWHERE),
            False,
            (Task.JOIN, Task.FAREWELL),
            id="but the one we left for another",
        ),
        pytest.param(
            identity(**FAREWELL), Idle.MACHINE_CHANGED, False, (), id="a copy says nothing"
        ),
    ],
)
def test_what_there_is_to_do(
    found: Identity, joins: Wish | Idle, resetting: bool, expected: tuple[Task, ...]
) -> None:
    assert decisions.tasks(found, joins, resetting=resetting) == expected


@pytest.mark.parametrize(
    ("choice", "spoken", "expected"),
    [
        (DialectChoice.AUTO, None, (Dialect.V2, Dialect.O1)),
        (DialectChoice.AUTO, Dialect.O1, (Dialect.V2, Dialect.O1)),
        (DialectChoice.AUTO, Dialect.V2, (Dialect.V2,)),
        (DialectChoice.V2, Dialect.O1, (Dialect.V2,)),
        (DialectChoice.O1, None, (Dialect.O1,)),
    ],
)
def test_which_dialects_are_tried(
    choice: DialectChoice, spoken: Dialect | None, expected: tuple[Dialect, ...]
) -> None:
    assert decisions.dialects(choice, spoken) == expected


def refused(status: int) -> CloudRefused:
    return CloudRefused("no", status=status, code="x")


@pytest.mark.parametrize(
    ("error", "least_s", "most_s"),
    [
        pytest.param(CloudUnavailable("x"), 0, 4, id="away: full jitter below the doubling"),
        pytest.param(CloudUnavailable("x", retry_after_s=300), 300, 304, id="its own wish"),
        pytest.param(refused(401), 60, 64, id="a wrong key: slowly"),
        pytest.param(refused(403), 60, 64, id="not allowed: slowly"),
        pytest.param(CloudConflict("no", status=409, code="x"), 60, 64, id="known: slowly"),
        pytest.param(refused(410), 0, 4, id="a key just retired: again"),
        pytest.param(Refused("x"), 60, 64, id="of our own"),
    ],
)
def test_how_long_until_the_next_try(error: IotisticError, least_s: float, most_s: float) -> None:
    rng = Random(7)

    assert all(least_s <= decisions.retry_in_s(error, 3, rng) <= most_s for _ in range(100))


def test_what_needs_a_person_is_told_from_what_passes() -> None:
    assert decisions.needs_a_person(refused(401))
    assert decisions.needs_a_person(CloudUnavailable("x", code="certificate-untrusted"))
    assert not decisions.needs_a_person(CloudUnavailable("x", code="clock-implausible"))


def joined(endpoint: str = HERE) -> Joined:
    return Joined(link=link(endpoint), mqtt=None, device_name="named")


class TestRegistered:
    def test_in_another_cloud_leaves_the_old_one(self) -> None:
        before = transitions.begin(provisioned(), wish(endpoint=ELSEWHERE))

        after = transitions.registered(before, joined(ELSEWHERE), ca_cert=None, now_ms=NOW_MS)

        assert after.farewell == provisioned().cloud
        assert after.farewell_until is None, "counted from the first try that fails"

    def test_in_the_same_cloud_again_leaves_nothing(self) -> None:
        before = transitions.begin(provisioned(), wish())

        after = transitions.registered(before, joined(HERE + "/api/"), ca_cert=None, now_ms=NOW_MS)

        assert after.farewell is None

    def test_keeps_the_authority_it_was_asked_with_unless_the_cloud_named_one(self) -> None:
        after = transitions.registered(pending(), joined(), ca_cert="PEM", now_ms=NOW_MS)

        assert after.cloud is not None
        assert after.cloud.ca_cert == "PEM"


def test_confirmed_forgets_the_key_but_not_which_it_was() -> None:
    after = transitions.confirmed(pending(KEY), link())

    assert after.provisioning_api_key is None
    assert after.provisioning_endpoint is None
    assert after.spent_key_hash == SPENT


class TestCandidates:
    def of(
        self, named: CloudLink, asked: str | None = HERE, *, allow_insecure: bool = False
    ) -> list[str]:
        found = candidates(named, endpoint=asked, ca_cert=None, allow_insecure=allow_insecure)
        return [candidate.endpoint for candidate in found]

    def test_the_clouds_own_word_comes_first(self) -> None:
        assert self.of(link(ELSEWHERE)) == [ELSEWHERE, HERE]

    def test_one_is_enough_where_both_are_the_same(self) -> None:
        assert self.of(link(HERE)) == [HERE]

    def test_this_machine_is_not_where_a_distant_cloud_is(self) -> None:
        assert self.of(link("http://127.0.0.1:3002")) == [HERE]

    def test_this_machine_is_where_a_cloud_on_it_is(self) -> None:
        near = "http://localhost:3002"
        assert self.of(link("http://127.0.0.1:3002"), near) == ["http://127.0.0.1:3002", near]

    def test_plain_http_elsewhere_is_not_taken_from_the_wire(self) -> None:
        assert self.of(link("http://other.example.com")) == [HERE]
        assert self.of(link("http://other.example.com"), allow_insecure=True)[0] == (
            "http://other.example.com"
        )
