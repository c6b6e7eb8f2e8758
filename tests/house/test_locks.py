"""What gets installed is pinned, hashed, and told without naming where it comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.house.tree import ROOT, files, name

LOCKS = sorted((ROOT / "requirements").glob("*.txt"), key=name)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REGISTRY = re.compile(
    r"(pypi\.org|pythonhosted\.org|test\.pypi|index-url|find-links|registry\.npmjs|deb\.debian)"
)


@pytest.mark.parametrize("lock", [param.name for param in LOCKS])
def test_every_package_of_a_lock_is_pinned_and_hashed(lock: str) -> None:
    pinned = list(_packages(lock))

    assert pinned
    assert [head for head, hashes in pinned if "==" not in head or not hashes] == []


def test_no_file_names_a_registry() -> None:
    found = [
        name(path)
        for path in files(".txt", ".toml", ".md", ".sh", ".py")
        if path.parent != ROOT / "tests" / "house" and REGISTRY.search(path.read_text())
    ]

    assert found == []


def test_developers_and_cloud_run_the_very_versions_that_devices_run() -> None:
    agent, cloud, dev = (_versions(f"{which}.txt") for which in ("agent", "cloud", "dev"))

    assert agent.items() <= cloud.items()
    assert cloud.items() <= dev.items()


def test_every_requirement_of_the_project_is_locked() -> None:
    project = PROJECT["project"]
    groups = PROJECT["dependency-groups"]
    wanted = {
        "agent.txt": project["dependencies"],
        "cloud.txt": project["optional-dependencies"]["cloud"],
        "dev.txt": [each for group in groups.values() for each in group if isinstance(each, str)],
    }

    missing = {
        lock: [each for each in requirements if _name_of(each) not in _versions(lock)]
        for lock, requirements in wanted.items()
    }

    assert missing == {"agent.txt": [], "cloud.txt": [], "dev.txt": []}


def _packages(lock: str) -> Iterator[tuple[str, list[str]]]:
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip():
            head, *hashes = re.split(r"\s+--hash=", line.strip())
            yield head, hashes


def _versions(lock: str) -> dict[str, str]:
    heads = (head.split(";")[0].strip() for head, _ in _packages(lock))
    return {_name_of(head): head.partition("==")[2] for head in heads}


def _name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()
