"""What an operator wants to hear of, as records of the class `event`.

    facts   how things stand, as words by key, and what is told when one changes (pure)
    teller  class EventTeller: compares with what was told last, and writes what is new

Level-triggered: an event is the difference between how things stand and how they were told last.
What was told is kept in the outbox in the same transaction as the events: a restart tells nothing
again, and nothing is lost that still holds. What came and went between two looks is not told.
"""

from iotistic.agent.events.facts import EventKind, Fact, facts_of
from iotistic.agent.events.teller import EventTeller

__all__ = ["EventKind", "EventTeller", "Fact", "facts_of"]
