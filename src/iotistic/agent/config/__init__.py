"""What the target's `config` section sets on this device, key by key.

    keys               which keys there are: the setting each is for, or that it is not built yet
    reading            a config document -> values and what is to be said of each key (pure)
    outcome            what came of a key, in words
    judgement          what came of the whole, given what else is set on this device (pure)
    config_manager     class ConfigManager: takes the section of every target, tells what came of it
    scheduled_restart  class ScheduledRestart: the agent begins afresh every so many days

The invariant: what is in force of the cloud's wishes is a function of the config that is held and
of nothing before it. A key that is gone is back to its default, and no key hinders another one, or
the apps. Nothing is kept here: the section is in the store with its target, and is read from there
at the next start, so that a start without the network has the same settings.
"""

from iotistic.agent.config.config_manager import ConfigManager
from iotistic.agent.config.judgement import Judgement
from iotistic.agent.config.outcome import Outcome, OutcomeKind, Reason
from iotistic.agent.config.scheduled_restart import ScheduledRestart

__all__ = ["ConfigManager", "Judgement", "Outcome", "OutcomeKind", "Reason", "ScheduledRestart"]
