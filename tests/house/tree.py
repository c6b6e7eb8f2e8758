"""What the house tests look at."""

from __future__ import annotations

from pathlib import Path

from scripts.project_files import ROOT, project_files

__all__ = ["ROOT", "files", "name"]


def files(*suffixes: str) -> list[Path]:
    """The project's files of these suffixes (all when none is given)."""
    return [path for path in project_files() if not suffixes or path.suffix in suffixes]


def name(path: Path) -> str:
    """The path as a reader of a failure wants it."""
    return path.relative_to(ROOT).as_posix()
