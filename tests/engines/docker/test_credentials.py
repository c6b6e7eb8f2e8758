"""Logins from files as Docker writes them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from iotistic.engines.docker.credentials import auth_header, registry_host, registry_logins
from iotistic.engines.protocol import Credentials
from iotistic.model.errors import InvalidField
from iotistic.model.secret import Secret

PASSWORD = "p:a:s3cret"
LOGIN = Credentials(username="device", password=Secret(PASSWORD))


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def logins(path: Path, content: Any) -> dict[str, Credentials]:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return registry_logins({"REGISTRY_AUTH_FILE": str(path)})


def test_a_password_may_contain_colons(auth_file: Path) -> None:
    auths = {"r.test:5000": {"auth": packed(f"device:{PASSWORD}")}}

    assert logins(auth_file, {"auths": auths}) == {"r.test:5000": LOGIN}


def test_user_and_password_may_stand_apart(auth_file: Path) -> None:
    auths = {"r.test": {"username": "device", "password": PASSWORD}, "helped.test": {}}

    assert logins(auth_file, {"auths": auths, "credsStore": "x"}) == {"r.test": LOGIN}


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("r.test", "r.test"),
        ("r.test:5000", "r.test:5000"),
        ("https://r.test/v1/", "r.test"),
        ("http://r.test:80", "r.test:80"),
        ("r.test/v2/", "r.test"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_login_is_for_the_host_that_images_name(server: str, host: str) -> None:
    assert registry_host(server) == host


def test_the_folder_of_dockers_own_client_is_found(auth_file: Path) -> None:
    environment = {"DOCKER_CONFIG": str(auth_file.parent)}
    assert registry_logins(environment) == {}

    auth_file.write_text(json.dumps({"auths": {"r.test": {"auth": packed("device:x")}}}))

    assert set(registry_logins(environment)) == {"r.test"}
    assert registry_logins({}) == {}


@pytest.mark.parametrize(
    "content",
    [
        f"{PASSWORD} <- this is no JSON",
        {"auths": [PASSWORD]},
        {"auths": {"r.test": {"auth": f"!{PASSWORD}"}}},
        {"auths": {"r.test": {"auth": "/w=="}}},
        {"auths": {"r.test": PASSWORD}},
        {"auths": {"r.test": {"username": "u", "password": [PASSWORD]}}},
    ],
)
def test_a_bad_file_is_refused_and_not_shown(auth_file: Path, content: Any) -> None:
    with pytest.raises(InvalidField) as refused:
        logins(auth_file, content)

    assert "REGISTRY_AUTH_FILE" in str(refused.value)
    assert "s3cret" not in f"{refused.value} {refused.value.__cause__}"


def test_a_named_file_that_is_not_there_is_refused(auth_file: Path) -> None:
    with pytest.raises(InvalidField, match="REGISTRY_AUTH_FILE"):
        registry_logins({"REGISTRY_AUTH_FILE": str(auth_file)})


def test_the_header_carries_the_login_for_its_server() -> None:
    header = json.loads(base64.urlsafe_b64decode(auth_header(LOGIN, "r.test")))

    assert header == {"username": "device", "password": PASSWORD, "serveraddress": "r.test"}
    assert "s3cret" not in repr(LOGIN)
