"""A cloud of the test's own, over real HTTP, that keeps the contract's books and can misbehave."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from iotistic.model import jose

Fault = Callable[[], web.StreamResponse]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLOUD_KEY = jose.generate_private_key(2048)
KEY_EXCHANGE = "/api/provisioning/v2/key-exchange"
REGISTER = "/api/provisioning/v2/register"
REGISTER_O1 = "/api/v1/device/register"


def answers(status: int, body: Any = None, **headers: str) -> Fault:
    """Instead of doing anything: this status."""
    found = body if body is not None else {"error": "scripted", "message": "scripted"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.json_response(found, status=status, headers=named)


def says(text: str, content_type: str = "application/json") -> Fault:
    """Instead of doing anything: 200 with this text."""
    return lambda: web.Response(text=text, content_type=content_type)


@dataclass
class Registered:
    """One device in the books; `pairs` maps its API keys to whether they were used."""

    device_id: int
    public_key: str | None
    pairs: dict[str, bool] = field(default_factory=dict)
    deprovisioned: bool = False


class ScriptedCloud:
    """Speaks v2 and o1. `faults[path]` are taken one a request; `lost[path]` counts the replies
    that are lost after the work was done.
    """

    def __init__(self, *, v2: bool = True, o1: bool = True) -> None:
        self.v2, self.o1 = v2, o1
        self.keys = {"5e" * 32: 1, "7a" * 32: 1}  # uses left
        self.devices: dict[str, Registered] = {}
        self.faults: dict[str, deque[Fault]] = {}
        self.always: Fault | None = None
        self.lost: Counter[str] = Counter()
        self.requests: list[str] = []
        self.registrations: list[dict[str, Any]] = []
        self.reply_changes: dict[str, Any] = {}
        self.api_changes: dict[str, Any] = {}
        self.url = ""
        self._challenges: dict[str, str] = {}
        self._pending: dict[str, str] = {}

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[ScriptedCloud]:
        app = web.Application(middlewares=[self._script])
        app.router.add_post(KEY_EXCHANGE, self._key_exchange)
        app.router.add_post(REGISTER, self._register)
        app.router.add_post(REGISTER_O1, self._register_o1)
        app.router.add_post("/api/v1/device/{uuid}/key-exchange", self._key_exchange_o1)
        app.router.add_get("/api/v1/device/{uuid}/state", self._state)
        app.router.add_post("/api/v1/device/{uuid}/deprovision", self._deprovision)
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    # -- what tests ask and order

    def forget(self) -> None:
        """As on its first day."""
        self.keys = {"5e" * 32: 1, "7a" * 32: 1}
        self.devices.clear()
        self._challenges.clear()
        self._pending.clear()
        self.requests.clear()

    def fails(self, path: str, *faults: Fault) -> None:
        self.faults.setdefault(path, deque()).extend(faults)

    def asked(self, path: str) -> int:
        return self.requests.count(path)

    def valid_pairs(self, uuid: str) -> list[str]:
        return list(self.devices[uuid].pairs) if uuid in self.devices else []

    def uses(self, key: str = "5e" * 32) -> int:
        return 1 - self.keys[key]

    # -- the contract

    @web.middleware
    async def _script(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(request.path)
        waiting = self.faults.get(request.path)
        if waiting:
            return waiting.popleft()()
        if self.always is not None:
            return self.always()
        response = await handler(request)
        if self.lost[request.path] > 0:
            self.lost[request.path] -= 1
            assert request.transport is not None
            request.transport.abort()
        return response

    async def _key_exchange(self, request: web.Request) -> web.Response:
        if not self.v2:
            return web.Response(status=404, text="Cannot POST", content_type="text/html")
        body = await request.json()
        if body["provisioningApiKey"] not in self.keys:
            return _refuse(401, "Invalid provisioning key", "invalid-provisioning-key")
        found = {
            "apiPublicKey": jose.public_pem(CLOUD_KEY.public_key()),
            "keyId": jose.key_id(CLOUD_KEY.public_key()),
        }
        if "devicePublicKey" in body:
            uuid = body["deviceUuid"]
            self._pending[uuid] = body["devicePublicKey"]
            self._challenges[uuid] = secrets.token_hex(16)
            found |= {"status": "ok", "challenge": self._challenges[uuid]}
        return web.json_response(found)

    async def _register(self, request: web.Request) -> web.Response:
        body = await request.json()
        sealed = body["encryptedPayload"]
        said = msgspec.json.decode(jose.decrypt(sealed, CLOUD_KEY))
        self.registrations.append(said)
        uuid, key = said["deviceUuid"], said["provisioningApiKey"]
        if key not in self.keys:
            return _refuse(401, "Invalid provisioning key", "invalid-provisioning-key")
        known = self.devices.get(uuid)
        public = known.public_key if known and known.public_key else self._pending.get(uuid, "")
        if not public or not jose.verify(sealed, body["signature"], jose.load_public_key(public)):
            return _refuse(409, "already registered", "already-registered")
        if said.get("challenge") != self._challenges.pop(uuid, None):
            return _refuse(409, "challenge is spent", "challenge-spent")
        if known is None:
            if self.keys[key] == 0:
                return _refuse(401, "device limit exceeded", "device-limit-exceeded")
            self.keys[key] -= 1
            known = self.devices[uuid] = Registered(17 + len(self.devices), public)
        known.deprovisioned = False
        api_key = secrets.token_hex(32)
        _keep_newest(known, api_key)
        reply = {
            "device": {"deviceId": str(known.device_id), "deviceName": "named", "uuid": uuid},
            "api": {"endpoint": self.url, "deviceApiKey": api_key} | self.api_changes,
            "dialect": "v2",
        } | self.reply_changes
        if said.get("replyEncryption") == "jwe":
            plain = msgspec.json.encode(reply)
            reply = {
                "encryptedReply": jose.encrypt(plain, jose.load_public_key(public), kid="device")
            }
        return web.json_response(reply)

    async def _register_o1(self, request: web.Request) -> web.Response:
        if not self.o1:
            return web.Response(status=404, text="nothing here")
        key = request.headers["Authorization"].removeprefix("Bearer ")
        if key not in self.keys:
            return _refuse(401, "Invalid provisioning key", "invalid-provisioning-key")
        body = await request.json()
        uuid, api_key = body["uuid"], body["deviceApiKey"]
        known = self.devices.get(uuid)
        if known is None:
            self.keys[key] -= 1
            known = self.devices[uuid] = Registered(17 + len(self.devices), None)
            known.pairs[api_key] = False
        elif api_key not in known.pairs:
            return _refuse(409, "already registered", "already-registered")
        return web.json_response(
            {
                "id": known.device_id,
                "uuid": uuid,
                "deviceName": body["deviceName"],
                "mqtt": {
                    "username": f"device_{uuid}",
                    "password": secrets.token_hex(8),
                    "broker": "mqtt://127.0.0.1:1883",
                },
            }
        )

    async def _key_exchange_o1(self, request: web.Request) -> web.Response:
        body = await request.json()
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        known = self.devices.get(request.match_info["uuid"])
        if known is None or bearer != body["deviceApiKey"] or bearer not in known.pairs:
            return _refuse(401, "Unauthorized", "unauthorized")
        return web.json_response({"status": "ok", "device": {"id": known.device_id}})

    async def _state(self, request: web.Request) -> web.Response:
        uuid = request.match_info["uuid"]
        if not self._lets_in(request):
            return _refuse(401, "Unauthorized", "unauthorized")
        return web.json_response({uuid: {"apps": {}, "config": {}}})

    async def _deprovision(self, request: web.Request) -> web.Response:
        if not self._lets_in(request):
            return _refuse(401, "Unauthorized", "unauthorized")
        device = self.devices[request.match_info["uuid"]]
        device.deprovisioned = True
        device.pairs.clear()
        return web.Response(status=204)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    def _lets_in(self, request: web.Request) -> bool:
        device = self.devices.get(request.match_info["uuid"])
        key = request.headers.get("X-Device-API-Key", "")
        if device is None or key not in device.pairs:
            return False
        # The first use of one pair ends the other.
        device.pairs = {key: True}
        return True


def _keep_newest(device: Registered, api_key: str) -> None:
    """The pair in use stays until the new one is used; one that was never used is replaced."""
    device.pairs = {key: used for key, used in device.pairs.items() if used} | {api_key: False}


def _refuse(status: int, message: str, code: str) -> web.Response:
    return web.json_response({"error": message, "message": message, "code": code}, status=status)
