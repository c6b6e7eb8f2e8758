"""Living through the agent's own faults: crashes counted, a safe mode, an end within seconds.

    last_run    what the run before this one left, and what follows from it (pure)
    run_record  the small file in the state folder that says so
    safe_mode   class SafeMode: nothing is applied, until the cause may be gone
    departure   class Departure: SIGTERM to exit in seconds, whatever hangs
    progress    class Progress: which rooms owe a sign of life
    watchdog    class Watchdog: tells the service manager as long as nothing is stuck
    status_line how the agent does, in one line
    surviving   which rooms a run has

The invariant: what counts as a crash has left a trace of its own (an exception, a fatal signal's
dump, the kernel's count of out-of-memory kills). A SIGTERM, a SIGKILL by hand, a power cut and a
reboot leave none, and count for nothing.
"""

from iotistic.agent.survival.departure import Departure
from iotistic.agent.survival.last_run import RunMode
from iotistic.agent.survival.progress import Progress
from iotistic.agent.survival.run_record import RunRecord
from iotistic.agent.survival.safe_mode import SafeMode
from iotistic.agent.survival.watchdog import Watchdog

__all__ = ["Departure", "Progress", "RunMode", "RunRecord", "SafeMode", "Watchdog"]
