"""Which of several containers stands for a service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotistic.model.observation import Container
from iotistic.model.release import Strategy, StrategyKind
from iotistic.model.words import ContainerState
from iotistic.planner.pairing import Pair, is_newer, pair
from tests.planner.builders import container, of, service, target, wanted

WEB = of(wanted(target(service())))
ONE = replace(container(WEB), created_s=5.0)
NEWER = replace(ONE, id="c2", created_s=6.0)
OLD = replace(NEWER, id="c3", spec_hash="1:old", created_s=9.0)
ENDED = replace(NEWER, state=ContainerState.EXITED)
PAUSED = replace(NEWER, state=ContainerState.PAUSED)
BEYOND = replace(NEWER, id="c4", spec_hash="2:beyond")
HAND_OVER = Strategy(kind=StrategyKind.HAND_OVER)


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param((), Pair(), id="none"),
        pytest.param((ONE,), Pair(current=ONE, is_wanted_one=True), id="the one"),
        pytest.param(
            (ONE, NEWER), Pair(current=NEWER, duplicates=(ONE,), is_wanted_one=True), id="the newer"
        ),
        pytest.param(
            (ONE, replace(ONE, id="c0")),
            Pair(current=ONE, duplicates=(replace(ONE, id="c0"),), is_wanted_one=True),
            id="of equals that with the greater id",
        ),
        pytest.param(
            (ONE, ENDED), Pair(current=ONE, duplicates=(ENDED,), is_wanted_one=True), id="running"
        ),
        pytest.param(
            (ONE, PAUSED),
            Pair(current=ONE, duplicates=(PAUSED,), is_wanted_one=True),
            id="running before paused",
        ),
        pytest.param(
            (replace(ENDED, created_s=9.0), PAUSED),
            Pair(current=PAUSED, duplicates=(replace(ENDED, created_s=9.0),), is_wanted_one=True),
            id="paused before ended",
        ),
        pytest.param(
            (replace(ENDED, id="c9"), OLD),
            Pair(current=replace(ENDED, id="c9"), duplicates=(OLD,), is_wanted_one=True),
            id="made for this, though it ended",
        ),
        pytest.param((OLD,), Pair(current=OLD), id="one that was made for something else"),
        pytest.param((BEYOND,), Pair(current=BEYOND, is_wanted_one=True), id="not comparable"),
        pytest.param(
            (ONE, BEYOND),
            Pair(current=ONE, duplicates=(BEYOND,), is_wanted_one=True),
            id="made for this before one that is not comparable",
        ),
    ],
)
def test_one_container_stands_for_the_service(
    containers: tuple[Container, ...], expected: Pair
) -> None:
    for strategy in (Strategy(), HAND_OVER if len(containers) < 2 else Strategy()):
        assert pair(WEB, containers, strategy) == expected
        assert pair(WEB, containers[::-1], strategy) == expected


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param(
            (ONE, OLD), Pair(current=ONE, old=OLD, is_wanted_one=True), id="the old one serves on"
        ),
        pytest.param(
            (ONE, NEWER),
            Pair(current=NEWER, duplicates=(ONE,), is_wanted_one=True),
            id="a second one of the new ones does not",
        ),
        pytest.param(
            (ONE, OLD, replace(OLD, id="c5", created_s=1.0)),
            Pair(
                current=ONE,
                old=OLD,
                duplicates=(replace(OLD, id="c5", created_s=1.0),),
                is_wanted_one=True,
            ),
            id="the newest of the old ones",
        ),
        pytest.param(
            (OLD, replace(OLD, id="c5", created_s=1.0)),
            Pair(current=OLD, duplicates=(replace(OLD, id="c5", created_s=1.0),)),
            id="nobody to hand over to",
        ),
    ],
)
def test_with_hand_over_an_older_one_may_stay_beside_it(
    containers: tuple[Container, ...], expected: Pair
) -> None:
    assert pair(WEB, containers, HAND_OVER) == expected
    assert pair(WEB, containers[::-1], HAND_OVER) == expected


def test_what_it_has_to_be_made_of_counts_before_all_else() -> None:
    other = replace(NEWER, image_id="sha256:other")

    assert pair(WEB, (ONE, other), Strategy(), ONE.image_id).current == ONE
    assert pair(WEB, (other,), Strategy(), ONE.image_id) == Pair(current=other)
    assert pair(WEB, (ONE, other), HAND_OVER, ONE.image_id) == Pair(
        current=ONE, old=other, is_wanted_one=True
    )


def test_newer_is_what_was_made_later_or_among_equals_has_the_greater_id() -> None:
    assert is_newer(NEWER, ONE)
    assert not is_newer(ONE, NEWER)
    assert is_newer(replace(ONE, id="c9"), ONE)
    assert not is_newer(ONE, ONE)
