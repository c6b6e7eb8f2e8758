"""A cloud in two hundred lines of the standard library, which writes down all it is asked."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.wire.wire import decrypt_jwe, encrypt_jwe, load_public, new_key, public_pem, spki_der

PROVISIONING_KEY = "5e" * 32
API_KEY = "ef" * 32
CHALLENGE = "c4" * 16
CLOUD_KEY = new_key(4096)
KEY_ID = hashlib.sha256(spki_der(CLOUD_KEY.public_key())).hexdigest()[:16]


@dataclass(frozen=True)
class Asked:
    """One request, as it came; `body` is its JSON, unpacked."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class LiteralCloud:
    """What was asked, and what is answered. `v2` False: an older cloud that never heard of it."""

    v2: bool = True
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    registration: dict[str, Any] = field(default_factory=dict)
    device_public_key: str = ""
    target: dict[str, Any] = field(default_factory=lambda: {"apps": {}, "config": {}})
    drop_reply_of: str = ""
    came: threading.Condition = field(default_factory=threading.Condition)

    def find(self, method: str, end: str) -> list[Asked]:
        """The requests of that method whose path ends so."""
        return [a for a in self.asked if a.method == method and a.path.endswith(end)]

    def waits_for(self, what: Callable[[], Any], timeout_s: float = 30.0) -> None:
        """Return when something is true; fails with what was asked when it does not come true."""
        with self.came:
            came = self.came.wait_for(what, timeout_s)
        assert came, [f"{a.method} {a.path}" for a in self.asked]

    # -- what it answers

    def answer(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        """Status, body (JSON, or text for HTML) and headers."""
        route = f"{asked.method} {asked.path}"
        if self.v2 and route == "POST /api/provisioning/v2/key-exchange":
            return 200, self.exchange(asked.body), {}
        if self.v2 and route == "POST /api/provisioning/v2/register":
            return 200, self.register(asked.body), {}
        if route == "POST /api/v1/device/register":
            return 200, register_o1(asked.body), {}
        if route.startswith("POST /api/v1/device/") and route.endswith("/key-exchange"):
            return 200, {"status": "ok", "message": "ok", "device": {"id": 17}}, {}
        if route.startswith("GET ") and asked.path.endswith("/state"):
            return self.state(asked)
        if route == "PATCH /api/v1/device/state":
            return 200, {"status": "ok"}, {}
        if asked.path.endswith("/deprovision"):
            return 204, None, {}
        return 404, "<pre>Cannot POST</pre>", {}

    def exchange(self, body: Any) -> dict[str, Any]:
        reply = {"apiPublicKey": public_pem(CLOUD_KEY), "keyId": KEY_ID}
        if "devicePublicKey" not in body:
            return reply
        self.device_public_key = body["devicePublicKey"]
        return reply | {"status": "ok", "challenge": CHALLENGE}

    def register(self, body: Any) -> dict[str, Any]:
        _, self.registration = decrypt_jwe(CLOUD_KEY, body["encryptedPayload"])
        uuid = self.registration["deviceUuid"]
        reply = {
            "device": {"deviceId": "17", "deviceName": "gate", "uuid": uuid},
            "mqtt": {
                "brokerUrl": "mqtt://127.0.0.1:1883",
                "username": f"device_{uuid}",
                "password": "not used here",
                "brokerConfig": {"protocol": "mqtt", "host": "127.0.0.1", "port": 1883},
            },
            "api": {
                "endpoint": self.url,
                "deviceApiKey": API_KEY,
                "tlsConfig": {"verifyCertificate": True},
            },
        }
        sealed = encrypt_jwe(load_public(self.device_public_key), reply, "device")
        return {"encryptedReply": sealed}

    def state(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        uuid = asked.path.split("/")[4]
        etag = '"' + hashlib.sha256(json.dumps(self.target).encode()).hexdigest()[:32] + '"'
        if asked.headers.get("if-none-match") == etag:
            return 304, None, {"ETag": etag}
        return 200, {uuid: self.target}, {"ETag": etag}

    @contextmanager
    def serve(self) -> Iterator[LiteralCloud]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    raw = gzip.decompress(raw)
                asked = Asked(self.command, self.path, headers, json.loads(raw) if raw else None)
                status, body, more = cloud.answer(asked)
                with cloud.came:
                    cloud.asked.append(asked)
                    cloud.came.notify_all()
                if cloud.drop_reply_of and asked.path.endswith(cloud.drop_reply_of):
                    cloud.drop_reply_of = ""
                    self.close_connection = True
                    return
                kind = "text/html" if isinstance(body, str) else "application/json"
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                data = b"" if body is None else data
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(data)))
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do  # noqa: N815 the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def register_o1(body: Any) -> dict[str, Any]:
    """The reply of a cloud of that time."""
    return {
        "id": 17,
        "uuid": body["uuid"],
        "deviceName": body["deviceName"],
        "deviceType": body["deviceType"],
        "applicationId": None,
        "fleetId": "default",
        "createdAt": "2025-11-13T00:00:00.000Z",
        "mqtt": {
            "username": f"device_{body['uuid']}",
            "password": "not used here",
            "broker": "mqtt://127.0.0.1:1883",
            "topics": {"publish": [], "subscribe": []},
        },
        "api": {"tlsConfig": {"verifyCertificate": True}},
    }
