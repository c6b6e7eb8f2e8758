"""What the agent says about itself: constant messages with fields, redacted in one place.

    logger     class AgentLogger: what every room is handed, and binds its component to
    book       class LogBook: level, rate, redaction; the last records in memory; the output
    record     one record, and how it looks as JSON and as text
    redaction  the one place where secrets are taken out
    rate       how often the same message may come
    output     the thread that writes, so that a stuck terminal never stops the event loop
    file       the same in files on the device, when asked for
    cloud_backend  class CloudLogBackend: a share of the records, to the outbox
    lines      records as lines of the wire

The invariant: saying something never blocks, never raises and never shows a secret. When the
output cannot keep up, records are dropped there (and counted), never awaited. Nothing here
survives a restart; the init system or container engine keeps what was written, the outbox what
the cloud is to get.

    with LogBook(clock, output=sys.stderr) as book:
        log = book.logger().bind(component=LogComponent.CLOUD_SYNC)
        log.warning("poll failed", code="cloud-timeout", retry_in_s=4.0)

In a test: `book = LogBook(clock)`, hand out `book.logger()`, look at `book.records()`.
"""

from iotistic.agent.logs.book import LogBook
from iotistic.agent.logs.logger import AgentLogger
from iotistic.agent.logs.output import LogFormat
from iotistic.agent.logs.record import LogLevel, LogRecord

__all__ = ["AgentLogger", "LogBook", "LogFormat", "LogLevel", "LogRecord"]
