"""Bringing the device to its target, one safe round at a time.

    state_reconciler   class StateReconciler: the loop; look, plan, act, look again
    decider            one round's decision: looks as close as need be, makes the plan's notes
    observer           class Observer: gathers what the planner may know, tidies up
    keeper             class Keeper: the plan's notes, of releases and locks, in the store
    container_manager  class ContainerManager: does one step with the engine
    layers             class Layers: images and containers that are not all there
    aim                class Aim: the target worked out, and the releases to go back to
    intake             class TargetIntake: the one way for a target into the store
    offer              whether an offered target is taken (pure)
    folders            what is needed of the host's folders in memory
    journal            what was done and why, for people; `last_words` of what ended
    engine_trouble     what a round does that could not look
    wakes              what wakes the loop
    snapshot           what is known at this moment

The invariant: the target is in the store before anything is done about it, and every round
starts from what the engine says. So a kill at any instant costs time, never the right state.
"""

from iotistic.agent.reconciler.container_manager import ContainerManager
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.reconciler.state_reconciler import StateReconciler

__all__ = ["ContainerManager", "Snapshot", "StateReconciler"]
