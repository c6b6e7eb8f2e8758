"""A process as the kernel keeps account of it. Linux only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(*_GONE):
            parent = int(_stat(int(folder.name))[1])
            children.setdefault(parent, []).append(int(folder.name))

    def walk(root: int) -> Iterator[int]:
        yield root
        for child in children.get(root, ()):
            yield from walk(child)

    return list(walk(pid))


def memory_mb(pids: list[int], kind: str = "Pss") -> float:
    """What they hold together, in MB of 10^6 bytes. `kind` is a line of smaps_rollup.

    Pss divides a page among all who share it, also with those that are not ours.
    """
    total_kib = 0
    for pid in pids:
        with suppress(*_GONE):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
            if (found := re.search(rf"^{kind}:\s+(\d+) kB$", text, re.MULTILINE)) is not None:
                total_kib += int(found[1])
    return total_kib * 1024 / 1e6


def threads(pids: list[int]) -> int:
    """How many threads they have together."""
    count = 0
    for pid in pids:
        with suppress(*_GONE):
            count += int(_stat(pid)[17])
    return count


def cpu_ms(pid: int) -> float:
    """The CPU time it has used so far, in itself and in the kernel, all threads."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * _TICK_MS


def _stat(pid: int) -> list[str]:
    """The fields from the state on. Source: proc(5), /proc/pid/stat."""
    # The name before it is in parentheses, and may itself hold spaces and parentheses.
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
