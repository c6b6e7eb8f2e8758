from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused, tcp_server

SESSION = {
    "token": "t0ken",
    "expiresAt": "2030-01-01T00:00:00Z",
    "user": {"username": "ada", "role": "admin"},
}


@pytest.fixture
def cloud() -> Iterator[Script]:
    script = Script()
    script.on("POST", "/api/v1/auth/login", SESSION)
    script.on("POST", "/api/v1/auth/setup", SESSION)
    script.on("POST", "/api/v1/auth/logout", Answer(204))
    script.on("GET", "/api/v1/auth/me", {"id": 1, "username": "ada", "role": "admin"})
    with tcp_server(script) as port:
        script.url = f"http://127.0.0.1:{port}"
        yield script


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the login is kept."""
    return tmp_path / "config/iotistic/fleet.json"


def log_in(iotctl: Iotctl, cloud: Script) -> None:
    assert iotctl("fleet", "login", cloud.url, "--user", "ada", stdin="secret\n").code == 0


def test_a_login_is_kept_for_this_user_only(iotctl: Iotctl, cloud: Script, kept: Path) -> None:
    before = os.umask(0)
    try:
        said = iotctl("fleet", "login", f"{cloud.url}/api/", "-u", "ada", stdin="secret\n")
    finally:
        os.umask(before)

    assert said.code == 0
    assert cloud.last.document == {"username": "ada", "password": "secret"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["url"] == cloud.url
    assert "t0ken" not in said.out + said.err
    assert "secret" not in said.out + said.err
    assert iotctl("fleet", "whoami").out == f"user   ada\nrole   admin\ncloud  {cloud.url}\n"
    assert cloud.last.headers["authorization"] == "Bearer t0ken"


def test_the_first_administrator_spends_the_one_time_token(iotctl: Iotctl, cloud: Script) -> None:
    said = iotctl(
        *("fleet", "login", cloud.url, "--user", "ada", "--setup", "-"),
        stdin="one-time\nlong secret\n",
    )

    assert said.code == 0
    assert cloud.last.path == "/api/v1/auth/setup"
    assert cloud.last.document == {
        "token": "one-time",
        "username": "ada",
        "password": "long secret",
    }


def test_a_wrong_password_is_5_and_keeps_nothing(iotctl: Iotctl, cloud: Script, kept: Path) -> None:
    cloud.on("POST", "/api/v1/auth/login", refused(401, "wrong-login", "wrong"))

    assert iotctl("fleet", "login", cloud.url, "-u", "ada", stdin="no\n").code == 5
    assert not kept.exists()


def test_nobody_logged_in_is_5_with_the_way_in(iotctl: Iotctl) -> None:
    said = iotctl("fleet", "whoami")

    assert said.code == 5
    assert "iotctl fleet login" in said.err


def test_a_session_that_has_ended_says_so(iotctl: Iotctl, cloud: Script) -> None:
    log_in(iotctl, cloud)
    cloud.on("GET", "/api/v1/auth/me", refused(401, "login-needed", "the session has ended"))

    said = iotctl("fleet", "whoami")

    assert said.code == 5
    assert said.err.endswith("  next: log in again: iotctl fleet login\n")


def test_a_kept_token_goes_to_no_other_cloud(
    iotctl: Iotctl, cloud: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(iotctl, cloud)
    other = Script()
    with tcp_server(other) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")

        assert iotctl("fleet", "whoami").code == 5

    assert other.asked == []


def test_url_and_token_may_come_from_the_environment(
    iotctl: Iotctl, cloud: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTISTIC_CLOUD_URL", cloud.url)
    monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "given")

    assert iotctl("fleet", "whoami").code == 0
    assert cloud.last.headers["authorization"] == "Bearer given"


def test_a_login_that_others_could_read_is_not_used(
    iotctl: Iotctl, cloud: Script, kept: Path
) -> None:
    log_in(iotctl, cloud)
    kept.chmod(0o640)

    said = iotctl("fleet", "whoami")

    assert said.code == 5
    assert "chmod 600" in said.err


def test_a_damaged_login_says_to_log_in_again(iotctl: Iotctl, kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text("{")
    kept.chmod(0o600)

    assert "damaged" in iotctl("fleet", "whoami").err


@pytest.mark.parametrize("damage", ["{", None])
def test_logging_in_again_repairs_it(
    iotctl: Iotctl, cloud: Script, kept: Path, damage: str | None
) -> None:
    log_in(iotctl, cloud)
    if damage is None:
        kept.chmod(0o644)
    else:
        kept.write_text(damage)

    log_in(iotctl, cloud)

    assert iotctl("fleet", "whoami").code == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(204), id="told"),
        pytest.param(refused(401, "login-needed", "ended"), id="ended already"),
    ],
)
def test_logging_out_forgets_the_token(
    iotctl: Iotctl, cloud: Script, kept: Path, answer: Answer
) -> None:
    log_in(iotctl, cloud)
    cloud.on("POST", "/api/v1/auth/logout", answer)

    assert iotctl("fleet", "logout").code == 0
    assert cloud.last.headers["authorization"] == "Bearer t0ken"
    assert not kept.exists()
    assert iotctl("fleet", "logout").code == 0


def test_logging_out_of_a_cloud_that_is_away_forgets_and_says_so(
    iotctl: Iotctl, cloud: Script, kept: Path
) -> None:
    log_in(iotctl, cloud)
    cloud.on("POST", "/api/v1/auth/logout", Answer(raw=b""))

    said = iotctl("fleet", "logout")

    assert said.code == 3
    assert "forgotten here" in said.err
    assert not kept.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://cloud.example.com",
        "ftp://localhost",
        "https://a:b@cloud.example.com",
        "https://cloud.example.com/?a=b",
        "nowhere",
    ],
)
def test_an_address_that_will_not_do(iotctl: Iotctl, url: str) -> None:
    said = iotctl("fleet", "login", url, "-u", "ada", stdin="secret\n")

    assert said.code == 2
    assert "expected" in said.err


def test_without_a_password_nothing_is_sent(iotctl: Iotctl, cloud: Script) -> None:
    assert iotctl("fleet", "login", cloud.url, "-u", "ada").code == 2
    assert cloud.asked == []
