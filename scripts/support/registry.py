"""An image registry on loopback, with faults to order; engines talk to it without TLS.

It serves an image of `images.py`, gzipped, under any repository name and tag asked for; each tag
has a layer of its own, so that an engine really has to fetch it. Except:

    absent/…    is not there
    limited/…   says that there were too many requests, and to come back in 7 s
    broken/…    answers 500
    holed/…     has the manifest, but not the layers
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from scripts.support.images import SLEEPER, TestImage, busybox_layer

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_FAULTS: Mapping[str, tuple[int, str, str]] = {
    "absent": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "limited": (429, "TOOMANYREQUESTS", "retry-after: 7s, allowed: 100/hour"),
    "broken": (500, "UNKNOWN", "the registry is ill"),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What is served under one tag: the manifest, and by digest what it refers to."""

    manifest: bytes
    blobs: Mapping[str, bytes]


@dataclass(slots=True, kw_only=True)
class Registry:
    """A running registry: where it is, what it was asked for, and what it has under which tag."""

    host: str = ""
    asked: list[str] = field(default_factory=list)
    tags: dict[str, Content] = field(default_factory=dict)

    def move_tags(self) -> None:
        """From now on each tag is another image than it was."""
        self.tags.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, image: TestImage, login: tuple[str, str] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.running = Registry(host=f"127.0.0.1:{self.server_port}")
        self.image = image
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self._one_at_a_time = Lock()
        self.authorization = None
        if login is not None:
            packed = base64.b64encode(":".join(login).encode()).decode("ascii")
            self.authorization = f"Basic {packed}"

    def manifest(self, repository: str, reference: str) -> bytes:
        """The manifest of a tag, or the one with a digest that was a tag's before."""
        with self._one_at_a_time:
            if reference in self.manifests:
                return self.manifests[reference]
            tag = f"{repository}:{reference}"
            if (content := self.running.tags.get(tag)) is None:
                content = self.running.tags[tag] = _content(self.image)
                self.manifests[_digest(content.manifest)] = content.manifest
                self.blobs.update(content.blobs)
            return content.manifest


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer()

    def _answer(self) -> None:
        server = self.server
        server.running.asked.append(self.path)
        if server.authorization not in (None, self.headers.get("Authorization")):
            self._refuse(401, "UNAUTHORIZED", "authentication required")
            return
        match self.path.strip("/").split("/"):
            case ["v2"]:
                self._send(200, b"{}", "application/json")
            case ["v2", topic, *_, "manifests", _] if topic in _FAULTS:
                self._refuse(*_FAULTS[topic])
            case ["v2", *path, "manifests", reference]:
                self._send(200, server.manifest("/".join(path), reference), _MANIFEST)
            case ["v2", topic, *_, "blobs", digest] if digest in server.blobs and topic != "holed":
                self._send(200, server.blobs[digest], "application/octet-stream")
            case _:
                self._refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._send(status, body, "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", _digest(body))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def registry(
    image: TestImage = SLEEPER, *, login: tuple[str, str] | None = None
) -> Iterator[Registry]:
    """Serve `image` for the time of the block; with `login` only to who logs in so."""
    with _Server(image, login) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.running
        finally:
            server.shutdown()
            thread.join()


def _content(image: TestImage) -> Content:
    layer = busybox_layer(salt=secrets.token_hex())
    packed = gzip.compress(layer, 1, mtime=0)
    config = image.config(layer)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": _LAYER, "size": len(packed), "digest": _digest(packed)}],
        }
    ).encode()
    return Content(manifest, {_digest(packed): packed, _digest(config): config})


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
