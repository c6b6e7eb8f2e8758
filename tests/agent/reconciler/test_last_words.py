"""What services wrote last is kept without what is secret."""

from __future__ import annotations

from iotistic.agent.reconciler.last_words import secrets_in, without_secrets
from iotistic.model.secret import Secret
from tests.planner.builders import service, target, wanted


def test_an_apps_own_values_are_masked_in_what_it_wrote() -> None:
    want = wanted(
        target(
            service("web", environment={"API_PASS": "correct-horse", "MODE": "on"}),
            service("db"),
        )
    )

    lines = without_secrets(
        ["connecting with correct-horse", "mode is on", "Authorization: Bearer " + "a" * 30],
        secrets_in(want, 1001),
    )

    assert lines == ["connecting with ***", "mode is on", "Authorization: Bearer ***"]


def test_values_of_other_apps_are_not_looked_for() -> None:
    want = wanted(target(service("web", environment={"WORD": "blueberry"})))

    assert list(secrets_in(want, 7)) == []
    assert Secret("blueberry") in set(secrets_in(want, 1001))
