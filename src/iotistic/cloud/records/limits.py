"""How long and how much of what devices send is kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table

from iotistic.cloud.db.tables import device_logs, metric_points

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLimits:
    """Days by class; rows and bytes for each class of each device; records a minute by device.

    Of what is too much the oldest goes.
    """

    log_days: int = 7
    metric_days: int = 30
    other_days: int = 90
    rows_per_device: int = 200_000
    megabytes_per_device: int = 64
    records_per_minute: int = 60_000
    megabytes_per_minute: int = 64

    def days_of(self, table: Table) -> int:
        """How many days a table's rows are kept."""
        if table is device_logs:
            return self.log_days
        return self.metric_days if table is metric_points else self.other_days


DEFAULT_LIMITS = RecordLimits()
