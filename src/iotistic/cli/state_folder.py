"""Where the agent keeps its socket and its token: one order of search, and one rule of safety."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOCKET = "agent.sock"
CREDENTIAL_FILE = "api-token"
PORT_FILE = "api.json"
DEFAULT = Path("/var/lib/iotistic")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder to use, and what to tell when no agent is found there."""

    path: Path
    note: str = ""


def find_state_folder(
    given: str | None, env: Mapping[str, str], *, cwd: Path, default: Path = DEFAULT
) -> StateFolder:
    """The agent's folder: as given, by environment, the default, and `./data` last.

    One that was named is used whatever is in it. `./data` counts only if it is there, belongs to
    this user or to root, and nobody else may write to it: who stands in a stranger's folder must
    not talk to a stranger's socket.
    """
    for named in (given, env.get("STATE_DIR"), env.get("CONFIG_DIR")):
        if named:
            return StateFolder(Path(named))
    if database := env.get("DATABASE_PATH"):
        return StateFolder(Path(database).parent)
    local = cwd / "data"
    if _has_agent(default) or not _has_agent(local):
        return StateFolder(default)
    if refused := _why_unsafe(local):
        return StateFolder(default, f"./data is there, but {refused}, so it is not used")
    return StateFolder(local)


def _has_agent(folder: Path) -> bool:
    # A folder that may not be looked into exists: its socket will say what is missing.
    try:
        names = {entry.name for entry in folder.iterdir()}
    except PermissionError:
        return True
    except OSError:
        return False
    return not names.isdisjoint((SOCKET, PORT_FILE))


def _why_unsafe(folder: Path) -> str:
    try:
        found = folder.stat()
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if found.st_uid not in {0, os.geteuid()}:
        return "belongs to somebody else"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    return ""
