"""What the link to the cloud costs: bytes counted by purpose, kept by day, held to a budget.

    counting      class Traffic: bytes both ways by purpose, as they go
    days          the same by day and month, and what a month comes to (pure)
    traffic_book  class TrafficBook: the account over restarts, `traffic.json` in the state folder
    budget        what a budget allows now (pure); `link_use`: that, and the operator's profile

Counted is HTTP, without TLS and TCP. The account is written every ten minutes and at the end: a
crash loses what was counted since. A budget stretches intervals and lets records wait, and never
stops a device from asking for its target.
"""

from iotistic.agent.traffic.budget import Allowance, Stage, allowance
from iotistic.agent.traffic.counting import Traffic
from iotistic.agent.traffic.days import DAYS_KEPT
from iotistic.agent.traffic.link_use import BandwidthProfile, LinkUse
from iotistic.agent.traffic.traffic_book import TrafficBook, load_days

__all__ = [
    "DAYS_KEPT",
    "Allowance",
    "BandwidthProfile",
    "LinkUse",
    "Stage",
    "Traffic",
    "TrafficBook",
    "allowance",
    "load_days",
]
