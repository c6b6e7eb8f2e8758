"""The laws of the planner on days on which everything goes wrong that can."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.planner import laws
from tests.planner.rough_day import RoughDay
from tests.planner.scale import EXAMPLES, LONG_EXAMPLES


def hold(law: type[laws.Law], examples: int = EXAMPLES) -> None:
    """Days at random under the eyes of a law."""
    tried: list[laws.Law] = []

    class Day(RoughDay):
        def __init__(self) -> None:
            tried.append(law())
            super().__init__(tried[-1])

    run_state_machine_as_test(
        Day, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )
    assert tried, "no day was tried"


def test_where_everything_is_as_wanted_there_is_nothing_to_do_and_nothing_to_wait_for() -> None:
    hold(laws.AtTheTarget)


def test_from_anywhere_the_target_is_reached_in_as_many_rounds_as_there_is_to_do() -> None:
    hold(laws.Convergence)


def test_once_there_nothing_is_ever_done_again() -> None:
    hold(laws.NoFlapping)


def test_equal_facts_in_any_order_give_an_equal_plan() -> None:
    hold(laws.Purity)


def test_no_container_is_touched_without_a_reason_of_its_own() -> None:
    hold(laws.Bystanders)


def test_no_volume_is_removed_unless_a_person_said_so() -> None:
    hold(laws.Volumes)


def test_no_image_goes_that_somebody_needs() -> None:
    hold(laws.Images)


def test_nothing_that_runs_is_stopped_before_the_images_of_its_whole_release_are_here() -> None:
    hold(laws.Downtime)


def test_one_container_of_a_service_runs_and_two_only_in_a_hand_over() -> None:
    hold(laws.Memory)


def test_nothing_is_disturbed_under_somebody_elses_lock_and_ours_always_ends() -> None:
    hold(laws.Locks)


def test_the_agents_loss_between_any_two_steps_changes_nothing() -> None:
    hold(laws.Crash)


def test_every_wait_ends_by_a_time_a_step_or_somebody_else() -> None:
    hold(laws.Waits)


def test_nothing_starts_before_what_it_depends_on_nor_stops_before_what_depends_on_it() -> None:
    hold(laws.Order)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("law", laws.Law.__subclasses__(), ids=lambda law: law.__name__)
def test_every_law_holds_on_a_great_many_days(law: type[laws.Law]) -> None:
    hold(law, LONG_EXAMPLES)
