"""Cryptography in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from iotistic.agent.host.crypto_child import CryptoRefused, CryptoUnavailable, in_child
from iotistic.model import jose

KEY = "0f" * 32

pytestmark = pytest.mark.system


async def test_a_pair_is_rsa_2048_and_its_halves_belong_together() -> None:
    pair = await in_child("generate-keypair", {})
    public = jose.load_public_key(pair["public_key_pem"])
    assert public.key_size == 2048
    again = await in_child("public-key", {"private_key_pem": pair["private_key_pem"]})
    assert again["public_key_pem"] == pair["public_key_pem"]

    signed = await in_child(
        "sign-pss", {"message": "a.b.c", "private_key_pem": pair["private_key_pem"]}
    )
    assert jose.verify("a.b.c", signed["signature"], public)
    assert not jose.verify("a.b.d", signed["signature"], public)

    wrapped = await in_child(
        "wrap-jwe",
        {"plaintext": "grüße", "public_key_pem": pair["public_key_pem"], "kid": "k1"},
    )
    assert jose.token_key_id(wrapped["jwe"]) == "k1"
    opened = await in_child(
        "unwrap-jwe", {"jwe": wrapped["jwe"], "private_key_pem": pair["private_key_pem"]}
    )
    assert opened["plaintext"] == "grüße"


async def test_what_is_sealed_opens_with_the_same_key_under_the_same_name() -> None:
    values = {"device.apiKey": "k", "device.mqttPassword": "grüße", "empty": ""}
    sealed = (await in_child("seal", {"key": KEY, "values": values}))["values"]
    assert all(text.startswith("v1:") for text in sealed.values())
    assert (await in_child("open", {"key": KEY, "values": sealed}))["values"] == values


async def test_another_key_another_name_or_one_changed_character_does_not_open() -> None:
    sealed = (await in_child("seal", {"key": KEY, "values": {"a": "text"}}))["values"]["a"]
    changed = sealed[:-3] + ("A" if sealed[-3] != "A" else "B") + sealed[-2:]
    for key, values in (
        ("f0" * 32, {"a": sealed}),
        (KEY, {"b": sealed}),
        (KEY, {"a": changed}),
        (KEY, {"a": "text"}),
        (KEY, {"a": "v1:"}),
        (KEY, {"a": "v1:%%%"}),
    ):
        with pytest.raises(CryptoRefused) as caught:
            await in_child("open", {"key": key, "values": values})
        assert "text" not in str(caught.value)


async def test_a_refusal_does_not_repeat_the_input() -> None:
    secret = "-----BEGIN PRIVATE KEY-----\nverysecret"
    with pytest.raises(CryptoRefused) as caught:
        await in_child("public-key", {"private_key_pem": secret})
    assert "verysecret" not in str(caught.value)


async def test_a_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(CryptoUnavailable):
        await in_child("generate-keypair", {}, time_limit_s=0.001)


async def test_cancelling_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[asyncio.subprocess.Process] = []
    started = asyncio.Event()
    real: Callable[..., Awaitable[asyncio.subprocess.Process]] = asyncio.create_subprocess_exec

    async def noted(*args: object, **kwargs: object) -> asyncio.subprocess.Process:
        children.append(await real(*args, **kwargs))
        started.set()
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    task = asyncio.create_task(in_child("generate-keypair", {}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children[0].returncode is not None


async def test_an_interpreter_that_cannot_start_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(CryptoUnavailable):
        await in_child("generate-keypair", {})


def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    """The working directory may be the state folder, where backups of anybody land."""
    (tmp_path / "cryptography.py").write_text("raise SystemExit(3)")
    code = (
        "import asyncio; from iotistic.agent.host.crypto_child import in_child;"
        f"asyncio.run(in_child('seal', {{'key': '{KEY}', 'values': {{'a': 'b'}}}}))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_the_agents_side_does_not_load_the_library() -> None:
    code = (
        "import sys, iotistic.agent.host.crypto_child, iotistic.agent.store.store;"
        "sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
