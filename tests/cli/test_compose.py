"""Compose files at the desk: checked, brought to a device, taken from one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused, tcp_server
from tests.cli.test_fleet_target import TARGET, saved
from tests.cli.test_status import lines

SHOP = """
name: shop
services:
  web:
    image: nginx:${TAG:-1.27}
    depends_on: [db]
  db:
    image: postgres:16
"""

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes a compose file in a folder of its own, and files beside it; gives its path."""
    folder = tmp_path / "My shop"
    folder.mkdir()

    def make(text: str, **beside: str) -> str:
        for name, content in beside.items():
            (folder / name.replace("_", ".")).write_text(content)
        (folder / "compose.yaml").write_text(text)
        return str(folder / "compose.yaml")

    return make


def test_a_good_file_is_0(iotctl: Iotctl, write: Write) -> None:
    said = iotctl("compose", "check", write(SHOP))

    assert (said.code, said.err) == (0, "")
    assert said.out == lines(
        "SERVICE  IMAGE        STATE    AFTER",
        "db       postgres:16  running  -",
        "web      nginx:1.27   running  db",
        "shop: 2 services, good",
    )


def test_for_programs_it_is_a_document_without_secrets(iotctl: Iotctl, write: Write) -> None:
    file = write(SHOP + "    environment: {A: hush}\n    colour: red\n")

    document = iotctl("compose", "check", file, "--json").document

    assert document["valid"] is True
    assert document["warnings"] == ["services.db.colour: unknown field, ignored"]
    assert document["app"]["services"][1]["config"]["environment"] == {"A": "***"}


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        pytest.param(SHOP + "    ports: [99999]", 1, "line 9: services.db.ports[0]", id="a port"),
        pytest.param(SHOP + "    image: x", 1, "again on line 9", id="a name twice"),
        pytest.param(SHOP + "  : [", 1, "compose.yaml: line 9", id="no YAML"),
        pytest.param(SHOP + "    user: ${U}", 1, "a value for U", id="no variable"),
        pytest.param(SHOP + "    env_file: no.env", 1, "line 9: services.db.env_file", id="file"),
        pytest.param(SHOP + "    build: .", 5, "line 9: services.db.build", id="build"),
        pytest.param(SHOP + "    profiles: [a]", 5, "line 9: services.db.profiles", id="profiles"),
        pytest.param(SHOP + "include: [a]", 5, "line 9: include", id="include"),
        pytest.param("[]", 1, "an object with services", id="a list"),
        pytest.param("", 1, "an object with services", id="nothing"),
    ],
)
def test_a_fault_is_1_and_what_a_device_does_not_do_is_5(
    iotctl: Iotctl, write: Write, text: str, code: int, told: str
) -> None:
    said = iotctl("compose", "check", write(text))

    assert said.code == code
    assert told in said.err
    assert said.out == ""


def test_what_is_not_known_is_a_warning_and_5_where_that_is_strict(
    iotctl: Iotctl, write: Write
) -> None:
    file = write(SHOP + "    colour: red\n")
    warning = "warning: line 9: services.db.colour: unknown field, ignored\n"

    lax, strict = iotctl("compose", "check", file), iotctl("compose", "check", file, "--strict")

    assert (lax.code, lax.err) == (0, warning)
    assert strict.code == 5
    assert strict.err.startswith(warning)
    assert iotctl("compose", "check", write(SHOP), "--strict").code == 0


def test_variables_come_from_what_is_given_and_never_from_the_shell(
    iotctl: Iotctl, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "from-the-shell")
    file = write(SHOP)
    values = tmp_path / "values"
    values.write_text("OTHER=3\nTAG=${OTHER}.1\n")

    assert "nginx:1.27" in iotctl("compose", "check", file).out
    assert "nginx:3.1" in iotctl("compose", "check", file, "--env-file", str(values)).out
    both = iotctl("compose", "check", file, "--env", "TAG=4", "--env-file", str(values))
    assert "nginx:4" in both.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--env", "hush"],
        ["--env", "1A=hush"],
        ["--env-file", "nowhere"],
        ["--env-file", "/"],
        ["--env-file", "/dev/zero"],
    ],
)
def test_what_was_given_wrongly_is_2(iotctl: Iotctl, write: Write, arguments: list[str]) -> None:
    said = iotctl("compose", "check", write(SHOP), *arguments)

    assert said.code == 2
    assert "hush" not in said.err


def test_files_beside_it_are_read(iotctl: Iotctl, write: Write) -> None:
    file = write(
        SHOP + "    env_file: web.env\nsecrets: {pw: {file: ./pw.txt}}\n",
        web_env="A=1",
        pw_txt="hush",
    )

    said = iotctl("compose", "check", file)

    assert said.code == 0
    assert said.err == (
        "note: services.db.env_file: what it says is part of the target\n"
        "note: secrets.pw: the content of ./pw.txt is part of the target, sealed\n"
    )


def test_what_is_no_small_text_is_not_read(iotctl: Iotctl, write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 300_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("fifo", "large", "binary", "/dev/zero", "."):
        file = write(SHOP + f"secrets: {{pw: {{file: {tmp_path / name}}}}}\n")

        said = iotctl("compose", "check", file)

        assert said.code == 1
        assert "secrets.pw.file: expected a file with text" in said.err


def test_a_file_without_a_name_is_called_as_its_folder(iotctl: Iotctl, write: Write) -> None:
    text = SHOP.replace("name: shop", "")

    assert "My-shop: 2 services" in iotctl("compose", "check", write(text)).out
    assert iotctl("compose", "check", "-", stdin=text).code == 1
    assert iotctl("compose", "check", "-", stdin=SHOP).code == 0


@pytest.mark.parametrize("file", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_is_2(iotctl: Iotctl, file: str) -> None:
    assert iotctl("compose", "check", file).code == 2


@pytest.fixture
def cloud(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A scripted cloud, in which somebody is logged in."""
    script = Script()
    script.on("PUT", TARGET, saved(version=8, appId=7))
    with tcp_server(script) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "t")
        yield script


def test_a_compose_file_is_brought_to_a_device_with_all_it_needs(
    iotctl: Iotctl, cloud: Script, write: Write
) -> None:
    file = write(
        SHOP + "    environment: {PRICE: 5$$}\nsecrets: {pw: {environment: PW}}\n", v_env="PW='a$b'"
    )
    values = str(Path(file).parent / "v.env")

    said = iotctl(
        *("fleet", "target", "set", answers.UUID, file),
        *("--env-file", values, "--env", "TAG=2", "-m", "why", "--stage"),
    )

    assert (said.code, said.out) == (0, "version 8: saved and deployed\n")
    assert cloud.last.query == {"stage": "1"}
    assert cloud.last.document == {
        "compose": {
            "name": "shop",
            "services": {
                "web": {"image": "nginx:2", "depends_on": ["db"]},
                "db": {"image": "postgres:16", "environment": {"PRICE": "5$"}},
            },
            "secrets": {"pw": {"value": "a$b"}},
        },
        "comment": "why",
    }


@pytest.mark.parametrize(
    ("text", "options", "more"),
    [
        pytest.param(SHOP, ["--app", "7"], {"appId": 7}, id="the app that is said"),
        pytest.param(
            SHOP.replace("name: shop", ""), [], {"appName": "My-shop"}, id="called as its folder"
        ),
        pytest.param(
            SHOP.replace("name: shop", "x-iotistic: {app_id: 7}"), [], {}, id="the id of the file"
        ),
        pytest.param(
            SHOP.replace("name: shop", ""), ["--app", "7"], {"appId": 7}, id="its old name"
        ),
    ],
)
def test_which_app_it_becomes(
    iotctl: Iotctl,
    cloud: Script,
    write: Write,
    text: str,
    options: list[str],
    more: dict[str, Any],
) -> None:
    assert iotctl("fleet", "target", "set", answers.UUID, write(text), *options).code == 0

    sent = cloud.last.document
    assert {name: value for name, value in sent.items() if name != "compose"} == more


def test_what_the_cloud_refuses_is_told_with_its_line(
    iotctl: Iotctl, cloud: Script, write: Write
) -> None:
    answer = refused(400, "invalid-field", "services.db.image: no", path="services.db.image")
    cloud.on("PUT", TARGET, answer)

    said = iotctl("fleet", "target", "set", answers.UUID, write(SHOP))

    assert said.code == 2
    assert "compose.yaml line 8: services.db.image: no" in said.err


def test_a_file_that_lacks_something_is_2_and_nothing_is_sent(
    iotctl: Iotctl, cloud: Script, write: Write
) -> None:
    said = iotctl("fleet", "target", "set", answers.UUID, write(SHOP + "    user: $U\n"))

    assert said.code == 2
    assert "line 9" in said.err
    assert cloud.asked == []


def test_options_of_a_compose_file_are_refused_for_anything_else(
    iotctl: Iotctl, cloud: Script
) -> None:
    for options in (["--app", "7"], ["--env", "A=1"]):
        said = iotctl("fleet", "target", "set", answers.UUID, "-", *options, stdin="apps: {}")

        assert said.code == 2
        assert "is no compose file" in said.err
    assert cloud.asked == []


def test_a_whole_target_may_be_yaml(iotctl: Iotctl, cloud: Script) -> None:
    text = "# mine\netag: '\"e1-7\"'\napps:\n  1001: {appName: shop, services: []}\n"

    said = iotctl("fleet", "target", "set", answers.UUID, "-", stdin=text)

    assert said.code == 0
    assert cloud.last.document == {"apps": {"1001": {"appName": "shop", "services": []}}}
    assert cloud.last.headers["if-match"] == '"e1-7"'


APP = {
    "appId": 1001,
    "appName": "shop",
    "services": [
        {
            "serviceId": "1",
            "serviceName": "web",
            "imageName": "nginx:1.27",
            "config": {"environment": {"TOKEN": "***"}, "secrets": ["pw"]},
        }
    ],
    "secrets": {"pw": {"value": "***"}},
}


@pytest.mark.parametrize("apps", [{"1001": APP}, [APP]])
def test_an_app_of_the_device_becomes_a_file_that_checks(
    iotctl: Iotctl, agent: Script, tmp_path: Path, apps: Any
) -> None:
    agent.on("GET", "/v1/state/target", {"apps": apps, "config": {}, "version": 3})

    said = iotctl("compose", "export", "1001")

    assert (said.code, said.err) == (0, "it needs values for: TOKEN, PW\n")
    assert "TOKEN: ${TOKEN}" in said.out
    values = tmp_path / "values"
    values.write_text("TOKEN=a\nPW=b\n")
    checked = iotctl("compose", "check", "-", "--env-file", str(values), stdin=said.out)
    assert (checked.code, checked.err) == (0, "")
    assert iotctl("compose", "check", "-", stdin=said.out).code == 1
    document = json.loads(iotctl("compose", "export", "1001", "--json").out)
    assert document["services"]["web"]["image"] == "nginx:1.27"


def test_an_app_that_is_not_there_is_4(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/state/target", {"apps": {"1001": APP}, "config": {}, "version": 3})

    said = iotctl("compose", "export", "7")

    assert said.code == 4
    assert "iotctl apps list" in said.err


def test_a_device_without_a_target_is_4(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/state/target", Answer(404, {"code": "not-found", "message": "none"}))

    assert iotctl("compose", "export", "1001").code == 4


def test_every_service_that_is_wrong_is_told_with_its_line(iotctl: Iotctl, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(
        "name: shop\n"
        "services:\n"
        "  web: {image: 'web:1', tty: maybe}\n"
        "  db: {image: 'db:1'}\n"
        "  till: {image: 'till:1', ports: ['80:1', '80:2']}\n"
    )

    said = iotctl("compose", "check", str(file))

    assert said.code == 1
    assert "line 3" in said.err
    (also,) = [line for line in said.err.splitlines() if line.startswith("  also: ")]
    assert also.startswith(f"  also: {file} line 5: services.till.ports[1]: ")
    assert "not taken by port 1" in also
