"""Small images for tests, demo and benchmarks, made on the spot from a static busybox.

They are the same bytes each time, so loading one twice changes nothing, and all share one layer.

    web       an HTTP server on $PORT (8080) that answers with $MESSAGE; ends at once on SIGTERM
    sleeper   does nothing until SIGTERM
    oneshot   says $MESSAGE and ends with the exit code $CODE (0)
    stubborn  does nothing, and ignores SIGTERM
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.support.engine_http import EngineHttp, EngineRefused

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_APPLETS = ("sh", "sleep", "httpd", "cat", "echo", "env", "ls", "printf", "mkdir", "kill", "wget")
# As the first process of its namespace a program gets no signal that it does not handle, hence
# the traps: without them each stop would last the whole grace period.
_WEB = """
mkdir -p /www && printf '%s\\n' "$MESSAGE" > /www/index.html
httpd -f -p "${PORT:-8080}" -h /www & server=$!
trap 'kill $server; exit 0' TERM INT
echo "serving: $MESSAGE"
wait $server
"""
_SLEEPER = """
trap 'exit 0' TERM INT
echo "sleeping: $MESSAGE"
while :; do sleep 3600 & wait $!; done
"""
_ONESHOT = """
echo "$MESSAGE"; exit "${CODE:-0}"
"""
_STUBBORN = """
trap '' TERM
while :; do sleep 3600 & wait $!; done
"""


class BusyboxMissing(Exception):
    """There is no static busybox to make images from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestImage:
    """One image: its reference, what it runs, its environment, and what else its config says."""

    __test__ = False  # not a test, whatever its name looks like to pytest

    reference: str
    script: str
    environment: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def config(self, layer: bytes) -> bytes:
        """The image configuration over that one layer."""
        return _json(
            {
                "architecture": _ARCHITECTURES.get(platform.machine(), "amd64"),
                "os": "linux",
                "created": "2000-01-01T00:00:00Z",
                "config": {
                    "Cmd": ["/bin/sh", "-c", self.script.strip()],
                    "Env": ["PATH=/bin", *(f"{k}={v}" for k, v in self.environment.items())],
                    **self.more,
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}"]},
            }
        )


WEB_1 = TestImage(reference="iotistic-test/web:1", script=_WEB)
WEB_2 = TestImage(reference="iotistic-test/web:2", script=_WEB, environment={"RELEASE": "2"})
SLEEPER = TestImage(reference="iotistic-test/sleeper:1", script=_SLEEPER)
ONESHOT = TestImage(reference="iotistic-test/oneshot:1", script=_ONESHOT)
STUBBORN = TestImage(reference="iotistic-test/stubborn:1", script=_STUBBORN)
ALL = (WEB_1, WEB_2, SLEEPER, ONESHOT, STUBBORN)


def load(host: str, *images: TestImage) -> None:
    """Put the images (all, when none is given) into the engine at `host`."""
    said = EngineHttp(host).call("POST", "/images/load", body=archive(*(images or ALL)), quiet="1")
    # An engine that fails in the middle says so inside of its answer, which began with 200.
    for line in said if isinstance(said, list) else [said]:
        if isinstance(line, Mapping) and line.get("error"):
            raise EngineRefused(200, str(line["error"]))


def archive(*images: TestImage) -> bytes:
    """The images as `docker save` would write them."""
    layer = busybox_layer()
    layer_path = f"{_sha256(layer)}/layer.tar"
    files = {layer_path: layer}
    manifest = []
    for image in images:
        config = image.config(layer)
        files[f"{_sha256(config)}.json"] = config
        manifest.append(
            {
                "Config": f"{_sha256(config)}.json",
                "RepoTags": [image.reference],
                "Layers": [layer_path],
            }
        )
    files["manifest.json"] = _json(manifest)
    return _tar(files)


def busybox_layer(*, salt: str = "") -> bytes:
    """A root folder with busybox and the few applets that the images use.

    With `salt` it holds that text as well, and so is a layer of its own.
    """
    path = shutil.which("busybox")
    if path is None:
        raise BusyboxMissing("no busybox here; install Debian's package busybox-static")
    content = Path(path).read_bytes()
    if b"/lib64/ld-linux" in content[:4096] or b"ld-linux" in content[:4096]:
        raise BusyboxMissing(f"{path} is not static; install Debian's package busybox-static")
    files = {"bin/busybox": content} | ({"salt": salt.encode()} if salt else {})
    return _tar(files, links={f"bin/{name}": "busybox" for name in _APPLETS})


def _tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o755
            tar.addfile(entry, io.BytesIO(files[name]))
        for name, target in sorted((links or {}).items()):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.SYMTYPE
            entry.linkname = target
            tar.addfile(entry)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
