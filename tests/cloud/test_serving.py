"""The program itself, as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cloud.program import PROGRAM, START_S, Process, address_of, clean_environment, cloud, run
from tests.cloud.running import PASSWORD

pytestmark = pytest.mark.system


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_start_a_login_and_an_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    os.umask(0)
    try:
        with cloud(data) as running:
            assert running.ask("GET", "/health")[0] == 200
            assert running.ask("GET", "/ready") == (200, {"status": "ready"})
            made = {"cloud.json", "cloud.sqlite", "first-login.json", "server.key"}
            assert {path.name for path in data.iterdir()} >= made
            assert {mode(path) for path in data.iterdir()} == {0o600}
            assert mode(data) == 0o700
            token = running.set_up()
            assert running.ask("GET", "/api/v1/auth/me", token=token)[1]["role"] == "admin"
            assert not (data / "first-login.json").exists()
            started = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(10) == 0
            assert time.monotonic() - started < 10
    finally:
        os.umask(0o022)
    assert not (data / "cloud.json").exists()
    log = (tmp_path / "data.log").read_text()
    assert "listening" in log
    assert token not in log
    assert "Traceback" not in log


def test_an_open_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with cloud(tmp_path / "data") as running:
        parts = urlsplit(running.url)
        with socket.create_connection((parts.hostname, parts.port)) as slow:
            slow.sendall(
                b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
            )
            assert running.ask("GET", "/health")[0] == 200
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(10) == 0


def test_a_locked_database_does_not_hold_up_the_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    login = {"username": "admin", "password": PASSWORD}
    with cloud(data) as running, ThreadPoolExecutor(8) as callers:
        running.set_up()
        with closing(sqlite3.connect(data / "cloud.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(8):
                callers.submit(running.ask, "POST", "/api/v1/auth/login", login)
            assert running.ask("GET", "/ready")[0] == 200
            started = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(20) == 0
            assert time.monotonic() - started < 10


def test_a_second_cloud_in_one_folder_leaves_the_address_of_the_first(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "second.log"
    with cloud(data) as first:
        with log.open("w") as output:
            second = subprocess.Popen(
                [PROGRAM, "serve", "--port", "0", "--data", str(data)],
                stderr=output,
                env=clean_environment(),
            )
        try:
            deadline = time.monotonic() + START_S
            while "listening" not in log.read_text() and time.monotonic() < deadline:
                assert second.poll() is None, log.read_text()
                time.sleep(0.02)
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
        finally:
            second.kill()
            second.wait()

        assert "its address stays" in log.read_text()
        assert run("admin", "address", "--data", str(data)).stdout.strip() == first.url


def test_a_killed_cloud_does_not_keep_the_next_one_from_announcing(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with cloud(data) as first:
        first.process.kill()
        first.process.wait()
        left = json.loads((data / "cloud.json").read_text())
        assert left["pid"] == first.process.pid

    with cloud(data) as again:
        assert run("admin", "address", "--data", str(data)).stdout.strip() == again.url


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with cloud(data) as running:
        token = running.set_up()
        made = running.ask("POST", "/api/v1/provisioning-keys", {}, token)[1]
        running.process.kill()
        running.process.wait()

    with cloud(data) as again:
        keys = again.ask("GET", "/api/v1/provisioning-keys", token=token)[1]
        assert [key["id"] for key in keys["keys"]] == [made["id"]]


def test_two_processes_start_on_one_database_at_once(tmp_path: Path) -> None:
    data, database = tmp_path / "data", f"sqlite+aiosqlite:///{tmp_path / 'shared.sqlite'}"
    other = tmp_path / "other"
    data.mkdir(mode=0o700)
    other.mkdir(mode=0o700)
    key = data / "server.key"
    key.touch(mode=0o600)
    key.write_text("5a" * 32)
    (other / "server.key").touch(mode=0o600)
    (other / "server.key").write_text("5a" * 32)
    starting = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--data", str(data), "--database", database],
        env=clean_environment(),
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        with cloud(other, "--database", database) as second:
            first = Process(starting, data, address_of(starting, data, tmp_path / "data.log"))
            token = first.set_up()
            assert second.ask("GET", "/api/v1/auth/me", token=token)[0] == 200
            made = second.ask("POST", "/api/v1/provisioning-keys", {}, token)[1]
            body = {
                "deviceUuid": "3f0e1f0a-5d8f-4c35-9a0e-0d6a3f6f7a10",
                "provisioningApiKey": made["key"],
            }
            path = "/api/provisioning/v2/key-exchange"
            keys = [one.ask("POST", path, body)[1]["keyId"] for one in (first, second)]
            assert keys[0] == keys[1]
    finally:
        starting.kill()
        starting.wait()


@pytest.mark.parametrize(
    ("options", "address"), [((), "127.0.0.1"), (("--trust-proxy",), "192.0.2.9")]
)
def test_a_header_says_where_somebody_is_only_behind_a_trusted_proxy(
    tmp_path: Path, options: tuple[str, ...], address: str
) -> None:
    with cloud(tmp_path / "data", *options) as running:
        token = running.set_up()
        wrong = {"username": "admin", "password": "wrong"}
        running.ask("POST", "/api/v1/auth/login", wrong, X_Forwarded_For="192.0.2.9")

        newest = running.ask("GET", "/api/v1/audit?limit=1", token=token)[1]["entries"][0]

    assert (newest["action"], newest["address"]) == ("login-failed", address)


def test_an_administrator_is_made_on_the_server_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = run("admin", "add", "ada", "--password-file", "-", "--data", str(data), text=PASSWORD)
    assert made.returncode == 0, made.stderr
    refused = run("admin", "add", "bob", "--password-file", "-", "--data", str(data), text="short")
    assert refused.returncode == 1
    assert "short" not in refused.stderr
    assert "Traceback" not in refused.stderr

    with cloud(data) as running:
        assert not (data / "first-login.json").exists()
        login = {"username": "ada", "password": PASSWORD}
        assert running.ask("POST", "/api/v1/auth/login", login)[0] == 200
        address = run("admin", "address", "--data", str(data))
        assert address.stdout.strip() == running.url
        reset = run("admin", "reset-link", "--data", str(data))
        assert reset.returncode == 0, reset.stderr
        assert running.set_up()
    assert run("admin", "address", "--data", str(tmp_path / "none")).returncode == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--tls-cert"),  # noqa: S104  refused is what is shown
        (["--public-url", "http://cloud.example"], "--public-url"),
        (["--public-url", "https://user:hush@cloud.example"], "--public-url"),
        (["--database", "mysql://root:hush@x/y"], "--database"),
        (["--database", "sqlite:///hush.sqlite"], "--database"),
        (["--port", "70000"], "--port"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_starts(
    tmp_path: Path, options: list[str], said: str
) -> None:
    ended = run("serve", "--port", "0", "--data", str(tmp_path / "data"), *options)

    assert ended.returncode in {1, 2}
    assert said in ended.stderr
    assert "hush" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "server.key").write_text("ab" * 32)
    (data / "server.key").chmod(0o644)

    ended = run("serve", "--port", "0", "--data", str(data))

    assert ended.returncode == 1
    assert "chmod 600" in ended.stderr


def test_what_the_system_refuses_is_one_line_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "server.key").mkdir(parents=True)

    ended = run("serve", "--port", "0", "--data", str(data))

    assert ended.returncode == 1
    assert str(data / "server.key") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_key_of_another_certificate_is_one_line(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    cert_path, _ = certificate(tmp_path / "one")
    _, key_path = certificate(tmp_path / "other")
    files = ("--tls-cert", str(cert_path), "--tls-key", str(key_path))

    ended = run("serve", "--port", "0", "--data", str(tmp_path / "data"), *files)

    assert ended.returncode == 1
    assert "--tls-key" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_of_another_key_is_not_served(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with cloud(data):
        pass
    (data / "server.key").unlink()

    ended = run("serve", "--port", "0", "--data", str(data))

    assert ended.returncode == 1
    assert "server.key" in ended.stderr


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test cloud")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


def test_tls_with_a_private_authority_hands_out_the_pin(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    options = ("--tls-cert", str(cert), "--tls-key", str(key))
    with cloud(tmp_path / "data", *options, context=context) as running:
        assert running.url.startswith("https://127.0.0.1:")
        token = running.set_up()
        made = running.ask("POST", "/api/v1/provisioning-keys", {}, token)[1]

    der = x509.load_pem_x509_certificate(cert.read_bytes())
    fingerprint = der.fingerprint(hashes.SHA256()).hex()
    assert made["command"].endswith(f"--api {running.url} --ca-pin sha256:{fingerprint}")


def test_options_come_from_the_environment_as_well(tmp_path: Path) -> None:
    environment = {
        **clean_environment(),
        "IOTISTIC_CLOUD_DATA": str(tmp_path / "data"),
        "IOTISTIC_CLOUD_HOST": "192.0.2.1",
    }
    ended = subprocess.run(
        [PROGRAM, "serve"],
        capture_output=True,
        env=environment,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert "192.0.2.1" in ended.stderr
