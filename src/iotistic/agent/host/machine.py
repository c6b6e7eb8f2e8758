"""Which machine this is, without giving its own id away."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

MACHINE_ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_OURS = b"iotistic-agent"


def machine_hash(files: tuple[Path, ...] = MACHINE_ID_FILES) -> str:
    """64 hex digits that are the same for every start on this machine, "" where it has no id.

    Keyed with our name, since machine-id(5) asks not to show the id itself.
    """
    for file in files:
        try:
            machine_id = file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        # systemd writes "uninitialized" into images that are to be cloned.
        if machine_id and machine_id != "uninitialized":
            return hmac.new(machine_id.encode(), _OURS, hashlib.sha256).hexdigest()
    return ""
