"""Looks for secrets in the project's files: `python -m scripts.scan_secrets [FILE...]`.

A line that must look like a secret, such as a published test vector, says so in itself or in the
line before: `not-a-secret: <why>`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.project_files import project_files

MARKER = "not-a-secret:"
SIZE_LIMIT = 2_000_000  # bytes; larger files are data, and there should be none

PATTERNS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*$"),
    "a long token under a secret's name": re.compile(
        r"""(?ix) \b [a-z0-9_.-]* (?: secret | token | passw(?:or)?d | api_?key | credential )
            [a-z0-9_]* ["']? \s* [:=]{1,2} \s* ["']
            (?: [0-9a-f]{32,} | [A-Za-z0-9+/_-]{40,}={0,2} ) ["']"""
    ),
    "an access key of a cloud provider": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of a code host or chat": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}|xox[abpr]-[A-Za-z0-9-]{20,})\b"
    ),
    "a password inside a URL": re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@'\"{}<>$]+:(?!secret@|password@)[^/\s@'\"{}<>$*]{6,}@[a-z0-9]"),
}  # fmt: skip


def findings(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The number of each suspicious line, and what it looks like."""
    before = ""
    for number, line in enumerate(lines, start=1):
        if MARKER not in line and MARKER not in before:
            for what, pattern in PATTERNS.items():
                if pattern.search(line):
                    yield number, what
        before = line


def main(arguments: list[str]) -> int:
    """Print each finding without the secret itself; 1 when there is one."""
    files = [Path(name) for name in arguments] or project_files()
    found = 0
    for path in files:
        if not path.is_file() or path.is_symlink():
            continue
        if path.stat().st_size > SIZE_LIMIT:
            print(f"{path}: larger than {SIZE_LIMIT} bytes, not looked into")
            found += 1
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, what in findings(text.splitlines()):
            print(f"{path}:{number}: looks like {what}")
            found += 1
    print(f"{len(files)} files, {found} suspicious lines")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
