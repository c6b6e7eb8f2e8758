"""All tables. Times are ms since the epoch; what is secret is hashed or sealed, never readable.

This is what the code works with; what makes it in a database are the numbered migrations, and a
test holds the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

one_time_logins = Table(
    "one_time_logins",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

failures = Table(
    "failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "kind", "subject", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("details", Text, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer, nullable=True),
    Column("body_sealed", LargeBinary, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "created_at"),
)

key_ring = Table(
    "key_ring",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(16), nullable=False, unique=True),
    Column("public_key", Text, nullable=False),
    Column("private_key_sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

provisioning_keys = Table(
    "provisioning_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("lookup", String(64), nullable=False, unique=True),
    Column("fleet_id", String(64), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("max_devices", Integer, nullable=False),
    Column("used_devices", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
    Column("revoke_reason", Text, nullable=True),
)

pending_exchanges = Table(
    "pending_exchanges",
    metadata,
    Column("challenge_hash", String(64), primary_key=True),
    Column(
        "provisioning_key_id",
        ForeignKey("provisioning_keys.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("uuid", String(36), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "provisioning_key_id", "uuid"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("fleet_id", String(64), nullable=False, index=True),
    Column("dialect", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("public_key", Text, nullable=True),
    Column("signs", Boolean, nullable=False),
    Column("provisioning_key_id", ForeignKey("provisioning_keys.id"), nullable=True),
    Column("application_id", Integer, nullable=True),
    Column("mac_address", Text, nullable=True),
    Column("os_version", Text, nullable=True),
    Column("agent_version", Text, nullable=True),
    Column("architecture", Text, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("authenticated_at", BigInteger, nullable=True),
    Column("reprovision_until", BigInteger, nullable=True),
    Column("last_seen_at", BigInteger, nullable=True),
    Column("offline_at", BigInteger, nullable=True),
    Column("machine_hash", String(64), nullable=True),
    Column("cloned_at", BigInteger, nullable=True),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("mqtt_password_hash", Text, nullable=True),
    Column("settled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
)

device_targets = Table(
    "device_targets",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", String(64), nullable=False),
    Column("latest_version", Integer, nullable=False),
    Column("deployed_version", Integer, nullable=True),
    Column("deployed_at", BigInteger, nullable=True),
    Column("etag", String(64), nullable=True),
    Column("served_sealed", LargeBinary, nullable=True),
)

target_versions = Table(
    "target_versions",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body_sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("author", String(64), nullable=False),
    Column("comment", Text, nullable=False),
    Column("deployed_at", BigInteger, nullable=True),
)

current_states = Table(
    "current_states",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("body_sealed", LargeBinary, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("version", BigInteger, nullable=True),
    Column("seq", BigInteger, nullable=True),
    Column("received_at", BigInteger, nullable=False),
)

# What a device sent for good. Ids grow and are never given again: followers read on from one.
_RecordKey = BigInteger().with_variant(Integer, "sqlite")

record_streams = Table(
    "record_streams",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("class", String(16), primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)

record_epochs = Table(
    "record_epochs",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("class", String(16), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("watermark", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index(None, "device_id", "class", "last_at"),
)

record_gaps = Table(
    "record_gaps",
    metadata,
    Column("id", _RecordKey, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("class", String(16), nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "device_id", "class", "id"),
    sqlite_autoincrement=True,
)

device_logs = Table(
    "device_logs",
    metadata,
    Column("id", _RecordKey, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("clock_synced", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("epoch", String(32), nullable=True),
    Column("seq", BigInteger, nullable=True),
    Column("level", String(8), nullable=False),
    Column("service", String(128), nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "device_id", "id"),
    Index(None, "device_id", "at"),
    sqlite_autoincrement=True,
)

metric_points = Table(
    "metric_points",
    metadata,
    Column("id", _RecordKey, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("clock_synced", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("epoch", String(32), nullable=True),
    Column("seq", BigInteger, nullable=True),
    Column("body", Text, nullable=False),
    Index(None, "device_id", "id"),
    Index(None, "device_id", "at"),
    sqlite_autoincrement=True,
)

device_records = Table(
    "device_records",
    metadata,
    Column("id", _RecordKey, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("class", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("clock_synced", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("epoch", String(32), nullable=True),
    Column("seq", BigInteger, nullable=True),
    Column("body", Text, nullable=False),
    Index(None, "device_id", "class", "id"),
    Index(None, "device_id", "class", "at"),
    sqlite_autoincrement=True,
)

seen_log_ids = Table(
    "seen_log_ids",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("id_hash", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index(None, "at"),
)
