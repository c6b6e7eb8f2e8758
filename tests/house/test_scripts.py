"""What a person runs first does what it says, on machines we do not know."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, name

BASH = [
    path
    for path in files()
    if path.parent in (ROOT / "scripts", ROOT / ".ci")
    and path.read_text().startswith(("#!/usr/bin/env bash", "# Sourced"))
]


@pytest.mark.parametrize("script", [name(path) for path in BASH])
def test_a_script_is_valid_bash_and_stops_at_the_first_error(script: str) -> None:
    text = (ROOT / script).read_text()

    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0
    assert "set -euo pipefail" in text or text.startswith("# Sourced")


def test_the_help_of_the_test_command_names_every_tier() -> None:
    said = _test("--help")

    assert said.returncode == 0
    for tier in ("unit", "contract", "system", "browser", "all", "long"):
        assert f"\n  {tier} " in said.stdout


def test_a_tier_that_does_not_exist_is_a_usage_error() -> None:
    said = _test("everything")

    assert said.returncode == 2
    assert "Unknown tier: everything" in said.stderr


def test_the_browser_tier_says_in_one_line_that_there_is_nothing_to_test() -> None:
    said = _test("browser")

    assert said.returncode == 0
    assert len(said.stdout.splitlines()) == 1


class Machine:
    """A machine without the package `thing`, as far as the set-up functions can see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        self.program("dpkg-query", "exit 1")
        self.program("sudo", "exit 1")
        self.program(
            "apt-get", f'echo "apt-get $*" >>{folder}/calls; cat {self.policy} >>{folder}/seen'
        )

    def run(self, call: str, *, user_id: int) -> subprocess.CompletedProcess[str]:
        self.program("id", f"echo {user_id}")
        return subprocess.run(
            ["bash", "-c", f". scripts/setup.sh; _policy={self.policy}; {call}"],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def file(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def program(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_rights_the_command_to_run_is_named_and_nothing_is_installed(
    machine: Machine,
) -> None:
    said = machine.run('ensure_packages "to test" thing', user_id=1000)

    assert said.returncode == 1
    assert "sudo apt-get install --no-install-recommends thing" in said.stderr
    assert machine.file("calls") == ""


def test_as_root_a_package_is_installed_after_saying_so_and_nothing_is_removed(
    machine: Machine,
) -> None:
    said = machine.run('ensure_packages "to test" thing', user_id=0)

    assert said.returncode == 0
    assert said.stderr.startswith("Installing Debian packages to test: thing")
    install = machine.file("calls").splitlines()[-1]
    assert install.endswith("install --no-install-recommends --no-remove thing")


def test_services_of_packages_are_held_back_while_installing_and_only_then(
    machine: Machine,
) -> None:
    machine.run('ensure_packages "to test" thing', user_id=0)

    assert "exit 101" in machine.file("seen")
    assert not machine.policy.exists()


def test_a_policy_about_services_that_was_there_is_left_as_it_is(machine: Machine) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 101 # somebody else's\n")

    machine.run('ensure_packages "to test" thing', user_id=0)

    assert "somebody else's" in machine.policy.read_text()


def test_a_package_that_is_there_costs_nothing(machine: Machine) -> None:
    machine.program("dpkg-query", "echo ii")

    said = machine.run('ensure_packages "to test" thing', user_id=0)

    assert (said.returncode, said.stderr, machine.file("calls")) == (0, "", "")


def _test(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "test", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
