"""What a power cut could leave on a disk, made from the system calls of one real run.

    calls = record([python, "-m", "tests.agent.outbox.power_program", folder], folder, scratch)
    for cut in cuts(calls, number=200, seed=1):
        cut.write(copy)     # the folder as it may be found after the cut
        cut.said            # what the program had promised by then

Fault model. What was synced is there. Of what was written to a file since its last sync, anything
may be there: nothing, all, a beginning, any of the writes without the others, and the last of
them torn at a sector of 512 bytes. Files that were made, renamed or removed are so on the disk in
the order in which that was done, up to some point that is not before the folder's last sync.
The index beside a write-ahead log is in memory and is never found.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR_BYTES = 512
SAID = "said"
"""The file, beside the folder, to which the program writes what it promised."""
_CALLS = (
    "openat,pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,"
    "link,linkat"
)
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_BEGUN = re.compile(r"(?P<text>.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"<\.\.\. \w+ resumed>(?P<text>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_FD_PATH = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"([^"]*)"')


class NoTracer(Exception):
    """No strace here, or it may not trace."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that changed the folder, or made a change of it last; or something said."""

    kind: str
    name: str = ""
    other: str = ""
    at: int = 0
    data: bytes = b""


@dataclass(slots=True)
class _File:
    durable: bytes = b""
    pending: list[Call] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """One disk that a power cut could have left, and what had been said by then."""

    after: int
    files: dict[str, bytes]
    said: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Make it."""
        folder.mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def record(
    command: Sequence[str], folder: Path, scratch: Path, *, timeout_s: float = 60
) -> tuple[Call, ...]:
    """Run a program that works in `folder`; the calls that concern it."""
    trace = scratch / "trace"
    strace = ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}"]
    try:
        run = subprocess.run(
            [*strace, "-o", str(trace), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise NoTracer("strace is not installed") from error
    if run.returncode and "ptrace" in run.stderr.lower():
        raise NoTracer(run.stderr)
    if run.returncode:
        raise AssertionError(run.stderr)
    with trace.open(encoding="ascii") as lines:
        return tuple(_calls(lines, folder.resolve()))


def cuts(calls: Sequence[Call], *, number: int, seed: int) -> Iterator[Cut]:
    """Power cuts, spread evenly over the calls."""
    rng = Random(seed)
    wanted = sorted(1 + place * len(calls) // number for place in range(number))
    disk = _Disk()
    said: list[str] = []
    for after, call in enumerate(calls, start=1):
        if call.kind == "say":
            said += call.data.decode().splitlines()
        else:
            disk.take(call)
        while wanted and wanted[0] == after:
            del wanted[0]
            yield Cut(after, disk.cut(rng), tuple(said))


class _Disk:
    """What is on the disk for sure, and what only may be."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._moves: list[tuple[str, str, _File | None]] = []

    def take(self, call: Call) -> None:
        match call.kind:
            case "create":
                if call.name not in self._names:
                    self._move("put", call.name, _File())
            case "write" | "truncate":
                self._names[call.name].pending.append(call)
            case "sync":
                file = self._names[call.name]
                file.durable = _applied(file.durable, file.pending)
                file.pending.clear()
            case "sync-folder":
                self._durable_names = dict(self._names)
                self._moves.clear()
            case "link":
                self._move("put", call.other, self._names[call.name])
            case "rename":
                self._move("rename", call.name, self._names[call.name], call.other)
            case "unlink":
                self._move("drop", call.name, None)
            case _:
                raise AssertionError(call.kind)

    def _move(self, kind: str, name: str, file: _File | None, to: str = "") -> None:
        self._moves.append((f"{kind} {to}".strip(), name, file))
        _moved(self._names, self._moves[-1])

    def cut(self, rng: Random) -> dict[str, bytes]:
        names = dict(self._durable_names)
        for move in self._moves[: rng.randint(0, len(self._moves))]:
            _moved(names, move)
        # One choice for each file, whatever its names.
        content = {id(file): _torn(file, rng) for file in names.values()}
        return {name: content[id(file)] for name, file in names.items()}


def _moved(names: dict[str, _File], move: tuple[str, str, _File | None]) -> None:
    what, name, file = move
    kind, _, to = what.partition(" ")
    if kind == "drop":
        names.pop(name, None)
    elif file is not None:
        if kind == "rename":
            names.pop(name, None)
        names[to or name] = file


def _torn(file: _File, rng: Random) -> bytes:
    pending = file.pending
    match rng.randrange(5):
        case 0:
            kept = []
        case 1:
            kept = list(pending)
        case 2:
            kept = pending[: rng.randint(0, len(pending))]
        case 3:
            kept = [call for call in pending if rng.random() < 0.5]
        case _:
            kept = [call for call in pending if rng.random() < 0.9]
    if kept and kept[-1].kind == "write" and rng.random() < 0.5:
        kept[-1] = _half(kept[-1], rng)
    return _applied(file.durable, kept)


def _half(call: Call, rng: Random) -> Call:
    """Some of the sectors that a write touches, from its beginning or up to its end."""
    first = SECTOR_BYTES - call.at % SECTOR_BYTES
    edges = [0, *range(first, len(call.data), SECTOR_BYTES), len(call.data)]
    edge = rng.choice(edges)
    if rng.random() < 0.5:
        return Call("write", call.name, at=call.at, data=call.data[:edge])
    return Call("write", call.name, at=call.at + edge, data=call.data[edge:])


def _applied(durable: bytes, calls: Sequence[Call]) -> bytes:
    content = bytearray(durable)
    for call in calls:
        if call.kind == "truncate":
            del content[call.at :]
            content.extend(bytes(call.at - len(content)))
        elif call.data:
            content.extend(bytes(max(0, call.at - len(content))))
            content[call.at : call.at + len(call.data)] = call.data
    return bytes(content)


# -- reading the trace


def _calls(lines: Iterable[str], folder: Path) -> Iterator[Call]:
    reader = _Reader(folder)
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if half := _BEGUN.match(rest):
            begun[pid] = half["text"]
            continue
        if half := _ENDED.match(rest):
            rest = begun.pop(pid, "") + half["text"]
        call = _CALL.match(rest)
        if call is not None and int(call["result"]) >= 0:
            yield from reader.read(call["name"], call["arguments"], int(call["result"]))


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._said = str(folder.parent / SAID)
        self._ends: dict[str, int] = {}

    def read(self, name: str, arguments: str, result: int) -> Iterator[Call]:
        on = [_decoded(path) for path in _FD_PATH.findall(arguments.split('"', 1)[0])]
        if name in ("write", "pwrite64"):
            yield from self._write(on[0], arguments, result) if on else ()
        elif name in ("fsync", "fdatasync"):
            if on and on[0] == self._folder:
                yield Call("sync-folder")
            elif on and (file := self._inside(on[0])):
                yield Call("sync", file)
        elif name == "ftruncate":
            if on and (file := self._inside(on[0])):
                size = int(arguments.rsplit(",", 1)[1])
                self._ends[file] = size
                yield Call("truncate", file, at=size)
        else:
            yield from self._name(name, arguments)

    def _write(self, path: str, arguments: str, result: int) -> Iterator[Call]:
        text = _TEXT.search(arguments)
        if text is None:
            return
        data = bytes.fromhex(text[1].replace("\\x", ""))[:result]
        if path == self._said:
            yield Call("say", data=data)
        elif file := self._inside(path):
            # `write` goes on where the last one ended: nobody here moves about in a file.
            at_end = arguments.count(",") == 2
            at = self._ends.get(file, 0) if at_end else int(arguments.rsplit(",", 1)[1])
            self._ends[file] = at + len(data)
            yield Call("write", file, at=at, data=data)

    def _name(self, name: str, arguments: str) -> Iterator[Call]:
        paths = [self._inside(_decoded(text)) for text in _TEXT.findall(arguments)]
        if not paths or not paths[0]:
            return
        if name == "openat":
            if "O_CREAT" in arguments:
                self._ends.setdefault(paths[0], 0)
                yield Call("create", paths[0])
        elif name.startswith("unlink"):
            self._ends.pop(paths[0], None)
            yield Call("unlink", paths[0])
        elif len(paths) == 2 and paths[1]:
            kind = "link" if name.startswith("link") else "rename"
            self._ends[paths[1]] = self._ends.get(paths[0], 0)
            if kind == "rename":  # a file made under that name again begins anew
                self._ends.pop(paths[0], None)
            yield Call(kind, paths[0], paths[1])

    def _inside(self, path: str) -> str:
        """The file's name in the folder; nothing for what is elsewhere, or never on the disk."""
        folder, name = os.path.split(path)
        if folder != self._folder or name.endswith(("-shm", ".lock")):
            return ""
        return name


def _decoded(text: str) -> str:
    return _HEX.sub(lambda found: chr(int(found[1], 16)), text)
