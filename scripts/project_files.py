"""The project's own files: what git tracks, and what is new and not ignored."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NOT_OURS = frozenset({"__pycache__", "data", "dist", "build"})
_HIDDEN_BUT_OURS = frozenset({".ci", ".dockerignore", ".gitignore"})


def project_files() -> list[Path]:
    """All of them, in order. Without git, or outside a clone: what lies there, by the same rule."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walk())
    paths = {ROOT / name for name in listed.split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def _walk() -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if _is_ours(name)]
        found += [Path(folder) / name for name in names if _is_ours(name)]
    return found


def _is_ours(name: str) -> bool:
    return name in _HIDDEN_BUT_OURS or not (
        name.startswith(".") or name in _NOT_OURS or name.endswith(".egg-info")
    )
