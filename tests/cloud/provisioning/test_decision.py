"""Whether a uuid may register: one line, one case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.cloud.devices.records import DeviceState
from iotistic.cloud.provisioning.decision import (
    LOST_REPLY_MS,
    Admission,
    Known,
    Proof,
    Refusal,
    admission,
)
from iotistic.model.words import Dialect

NOW = 10_000_000
V2, O1 = Dialect.V2, Dialect.O1
KNOWN = Known(state=DeviceState.REGISTERED, dialect=V2, registered_at=NOW - 1000, signs=True)
LITERAL = replace(KNOWN, signs=False)
OLD = replace(KNOWN, dialect=O1, signs=False)
LEFT = replace(KNOWN, state=DeviceState.DEPROVISIONED)
DELETED = replace(KNOWN, state=DeviceState.DELETED)

KNOWN_OPEN = replace(KNOWN, reprovision_until=NOW + 1)
OLD_OPEN = replace(OLD, reprovision_until=NOW + 1)
DELETED_OPEN = replace(DELETED, reprovision_until=NOW + 1)
NOTHING = Proof(dialect=V2)
SIGNED = Proof(dialect=V2, own_key=True, challenge=True, signed=True)
O1_KEY = Proof(dialect=O1, own_key=True)


@pytest.mark.parametrize(
    ("known", "proof", "expected"),
    [
        pytest.param(None, NOTHING, Admission.NEW, id="never seen"),
        pytest.param(KNOWN, SIGNED, Admission.PROVEN, id="signed by its key"),
        pytest.param(KNOWN, NOTHING, Refusal.ALREADY_REGISTERED, id="signs, but not now"),
        pytest.param(
            KNOWN,
            replace(SIGNED, challenge=False),
            Refusal.CHALLENGE_MISSING,
            id="signed, maybe long ago",
        ),
        pytest.param(
            KNOWN,
            replace(SIGNED, own_key=False),
            Refusal.ALREADY_REGISTERED,
            id="signed by another key",
        ),
        pytest.param(LITERAL, NOTHING, Admission.LOST_REPLY, id="simple client, at once"),
        pytest.param(
            replace(LITERAL, registered_at=NOW - LOST_REPLY_MS),
            NOTHING,
            Admission.LOST_REPLY,
            id="simple client, in the last moment",
        ),
        pytest.param(
            replace(LITERAL, registered_at=NOW - LOST_REPLY_MS - 1),
            NOTHING,
            Refusal.ALREADY_REGISTERED,
            id="simple client, too late",
        ),
        pytest.param(
            replace(LITERAL, authenticated_at=NOW - 1),
            NOTHING,
            Refusal.ALREADY_REGISTERED,
            id="simple client, heard since",
        ),
        pytest.param(
            replace(LITERAL, authenticated_at=NOW - 2000),
            NOTHING,
            Admission.LOST_REPLY,
            id="simple client, heard before it registered anew",
        ),
        pytest.param(LEFT, SIGNED, Admission.PROVEN, id="left, comes back with its key"),
        pytest.param(LEFT, NOTHING, Refusal.ALREADY_REGISTERED, id="left, without its key"),
        pytest.param(
            replace(LEFT, signs=False), NOTHING, Refusal.ALREADY_REGISTERED, id="left, literal"
        ),
        pytest.param(DELETED, SIGNED, Refusal.DELETED, id="removed, even with its key"),
        pytest.param(
            DELETED_OPEN,
            NOTHING,
            Admission.WINDOW,
            id="removed, let in",
        ),
        pytest.param(KNOWN_OPEN, NOTHING, Admission.WINDOW, id="window open"),
        pytest.param(
            replace(KNOWN, reprovision_until=NOW),
            NOTHING,
            Refusal.ALREADY_REGISTERED,
            id="window just closed",
        ),
        pytest.param(OLD, O1_KEY, Admission.PROVEN, id="o1 with its key"),
        pytest.param(
            OLD, replace(O1_KEY, own_key=False), Refusal.ALREADY_REGISTERED, id="o1, another key"
        ),
        pytest.param(OLD, NOTHING, Refusal.ALREADY_REGISTERED, id="o1 goes up without proof"),
        pytest.param(OLD_OPEN, NOTHING, Admission.WINDOW, id="o1 goes up, let in"),
        pytest.param(KNOWN, O1_KEY, Refusal.DIALECT_DOWNGRADE, id="never down"),
        pytest.param(
            KNOWN_OPEN,
            O1_KEY,
            Refusal.DIALECT_DOWNGRADE,
            id="never down, nor let",
        ),
    ],
)
def test_admission(known: Known | None, proof: Proof, expected: Admission | Refusal) -> None:
    assert admission(known, proof, now_ms=NOW) == expected


times = st.one_of(st.none(), st.integers(0, 2 * NOW))
knowns = st.builds(
    Known,
    state=st.sampled_from(DeviceState),
    dialect=st.sampled_from(Dialect),
    registered_at=st.integers(0, 2 * NOW),
    signs=st.booleans(),
    authenticated_at=times,
    reprovision_until=times,
)
proofs = st.builds(
    Proof,
    dialect=st.sampled_from(Dialect),
    own_key=st.booleans(),
    challenge=st.booleans(),
    signed=st.booleans(),
)


@given(knowns, proofs)
def test_without_proof_or_an_operator_nobody_takes_the_place_of_a_device_that_was_heard(
    known: Known, proof: Proof
) -> None:
    heard = known.authenticated_at is not None and known.authenticated_at >= known.registered_at
    is_open = known.reprovision_until is not None and known.reprovision_until > NOW
    if (heard or known.signs) and not is_open and not proof.own_key:
        assert isinstance(admission(known, proof, now_ms=NOW), Refusal)


@given(knowns, proofs)
def test_a_device_of_the_present_dialect_never_goes_down(known: Known, proof: Proof) -> None:
    if known.dialect is V2 and proof.dialect is O1:
        assert admission(known, proof, now_ms=NOW) is Refusal.DIALECT_DOWNGRADE


@given(knowns, proofs)
def test_a_known_device_is_never_counted_as_new(known: Known, proof: Proof) -> None:
    assert admission(known, proof, now_ms=NOW) is not Admission.NEW
