"""The link to the cloud: asking what should run, telling how things are.

    cloud_sync     class CloudSync: keeps the loops going for the link that is in force
    poller         asks for the target (ETag, 304), hands it to the reconciler
    reporter       tells what changed since the last report that the cloud accepted
    courier        carries records from the outbox: metrics, events, log lines
    turns          which class of records goes when (pure); `parcel`: as they go, and the answer
    current_state  gathers the document that is reported
    report         the document, from snapshot and facts (pure); `service_rows`, `metric_fields`,
                   `release_fields`: releases and the plan, in words that time alone does not change
    cadence        when to poll and report next, how the link stands (pure)
    thrift         what a low bandwidth and a tight budget make of the intervals (pure)
    clock_skew     how far the wall clock is from the cloud's (pure)
    channel        counts failures, waits after them, says so; `rounds`: the loop of each
    status         what the Device API shows of it

The invariant: nothing that runs on the device depends on the cloud. Whatever it answers (nothing,
nonsense, no) costs freshness alone. Each channel stands for itself:

    online --2 failures in a row--> degraded --1 more--> offline
       ^------------------any success-----------------------'

Nothing here survives a restart but the ETag, which the store keeps with the target it belongs to.
A new run, and a new link, begin with a poll at once and a whole report. Records stay in the outbox
until the cloud has acknowledged them.
"""

from iotistic.agent.sync.cadence import SyncIntervals
from iotistic.agent.sync.channel import CredentialsRefused
from iotistic.agent.sync.cloud_sync import CloudSync
from iotistic.agent.sync.current_state import CurrentState
from iotistic.agent.sync.status import ChannelStatus, SyncOutcome, SyncStatus
from iotistic.agent.sync.thrift import intervals_for, pace_for
from iotistic.agent.sync.turns import CourierPace

__all__ = [
    "ChannelStatus",
    "CloudSync",
    "CourierPace",
    "CredentialsRefused",
    "CurrentState",
    "SyncIntervals",
    "SyncOutcome",
    "SyncStatus",
    "intervals_for",
    "pace_for",
]
