"""Bringing the device to its target, one safe round at a time.

    state_reconciler   class StateReconciler: look, plan, act, look again
    container_manager  class ContainerManager: does one step with the engine
    intake             class TargetIntake: the one way for a target into the store
    offer              whether an offered target is taken (pure)
    snapshot           what is known at this moment

The invariant: the target is in the store before anything is done about it, and every round
starts from what the engine says. So a kill at any instant costs time, never the right state.
"""

from iotistic.agent.reconciler.container_manager import ContainerManager
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.reconciler.state_reconciler import StateReconciler

__all__ = ["ContainerManager", "Snapshot", "StateReconciler"]
