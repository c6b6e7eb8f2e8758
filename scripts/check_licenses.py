"""Checks that all we build on may be used with the project: `python -m scripts.check_licenses`.

Looks at what is installed of requirements/cloud.txt, which holds the agent's share too. What only
developers need is not given to anyone, so it is not asked.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements" / "cloud.txt"

ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT",
        "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip

# The words in which packages named their licence before SPDX expressions became the rule.
OLDER_NAMES = {
    "Apache": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSF": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def locked_names(lock: str) -> list[str]:
    """The names of the packages that a lock file holds."""
    return re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==", lock, flags=re.MULTILINE)


def licenses_of(meta: metadata.PackageMetadata) -> list[str]:
    """What a package says of its licence: each name stands for one that applies."""
    for expression in meta.get_all("License-Expression") or []:
        # `A OR B` is our choice; `A AND B` is both. Each name is asked, which is the stricter way.
        return re.findall(
            r"[A-Za-z0-9][A-Za-z0-9.+-]*", re.sub(r"\b(AND|OR|WITH)\b", " ", expression)
        )
    classified = [
        line.rsplit(" :: ", 1)[-1]
        for line in meta.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    stated = [line.strip().split("\n", 1)[0] for line in meta.get_all("License") or []]
    named = classified or [line for line in stated if line]
    return [OLDER_NAMES.get(name, name) for name in named]


def objection(name: str) -> str | None:
    """Why the package of that name may not be used, or None."""
    try:
        meta = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None  # locked for another platform
    names = licenses_of(meta)
    if names and all(each in ALLOWED for each in names):
        return None
    return f"{name} {meta['Version']}: licence {', '.join(names) or 'not stated'!r} is not allowed"


def main() -> int:
    """Print each objection; 1 when there is one."""
    names = locked_names(LOCK.read_text())
    objections = [text for text in map(objection, names) if text]
    for text in objections:
        print(text)
    if not objections:
        print(f"{len(names)} packages, each with an allowed licence")
    return 1 if objections else 0


if __name__ == "__main__":
    sys.exit(main())
