"""What services wrote last is kept without what is secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler.last_words import LastWords, secrets_in, without_secrets
from iotistic.model.secret import Secret
from iotistic.planner.world import Subject
from tests.agent.fast_clock import FastClock
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


async def test_a_target_that_comes_while_words_are_read_uncovers_nothing() -> None:
    known = [Secret("first-secret")]

    class Engine:
        async def logs(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
            known[:] = [Secret("other-secret")]  # another target was taken up
            yield SimpleNamespace(text="logging in with first-secret, then other-secret")

    def secrets_of(_: int) -> Iterable[Secret]:
        return known

    engine: Any = Engine()
    words = LastWords(engine, LogBook(FastClock()).logger(), secrets_of=secrets_of)

    found = await words.of(Subject(app_id=1, kind="service", name="web"), "c1")

    assert list(found) == ["logging in with ***, then ***"]
