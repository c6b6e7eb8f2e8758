"""How much one device may send: a bucket that fills with time.

Kept in memory, by each process for itself: it protects this process and its disk, and a restart
that forgets it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iotistic.cloud.clock import MINUTE_MS
from iotistic.cloud.errors import TooManyAttempts

DEVICES_HELD = 10_000
"""Beyond that many buckets those that are full again are forgotten."""


@dataclass(slots=True)
class _Bucket:
    records: float
    bytes: float
    at_ms: int


class Pace:
    """Lets a device send `records_per_minute` and `bytes_per_minute`, a minute's worth at once.

    A batch is let in while anything is left and may overdraw it: what matters is the mean.
    A clock that is put back costs a device nothing but the time until it is noticed.
    """

    def __init__(
        self, clock: Callable[[], int], *, records_per_minute: int, bytes_per_minute: int
    ) -> None:
        self._clock = clock
        self._records = records_per_minute
        self._bytes = bytes_per_minute
        self._buckets: dict[int, _Bucket] = {}

    def check(self, device_id: int) -> None:
        """Raises TooManyAttempts (`too-many-records`) while the device has overdrawn."""
        bucket = self._bucket(device_id)
        wait_min = max(-bucket.records / self._records, -bucket.bytes / self._bytes)
        if wait_min >= 0:
            raise TooManyAttempts(
                "this device sends more than it may",
                code="too-many-records",
                remedy="wait as long as Retry-After says",
                retry_after_s=max(1.0, wait_min * 60),
            )

    def charge(self, device_id: int, *, records: int, bytes_: int) -> None:
        """Count what came; a call without records costs one as well."""
        bucket = self._bucket(device_id)
        bucket.records -= max(1, records)
        bucket.bytes -= bytes_

    def _bucket(self, device_id: int) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(device_id)
        if bucket is None:
            if len(self._buckets) >= DEVICES_HELD:
                self._forget_full(now)
            bucket = _Bucket(self._records, self._bytes, now)
            self._buckets[device_id] = bucket
        self._refill(bucket, now)
        return bucket

    def _refill(self, bucket: _Bucket, now: int) -> None:
        spent_min = max(0, now - bucket.at_ms) / MINUTE_MS
        bucket.records = min(self._records, bucket.records + spent_min * self._records)
        bucket.bytes = min(self._bytes, bucket.bytes + spent_min * self._bytes)
        bucket.at_ms = now

    def _forget_full(self, now: int) -> None:
        for bucket in self._buckets.values():
            self._refill(bucket, now)
        full = [
            device_id
            for device_id, bucket in self._buckets.items()
            if bucket.records >= self._records and bucket.bytes >= self._bytes
        ]
        for device_id in full:
            del self._buckets[device_id]
