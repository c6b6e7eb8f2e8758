"""Iotistic Edge: an agent for devices nobody can walk up to, and the cloud it answers to.

Rooms: `model` (what travels), `planner` (what is safe to do now), `engines` (container engines),
`agent` (the device), `cloud` (the fleet server), `cli` (iotctl). Who may import whom is checked
by import-linter; see docs/explanation/architecture.md.
"""

__version__ = "0.1.0"
