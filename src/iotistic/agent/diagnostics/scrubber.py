"""Everything secret that this device knows, and taking it out of texts in whatever form.

The last of several nets: what goes into a bundle is masked by the names of its fields already. A
secret may still stand in a log line, an error of a library, a name somebody chose badly.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from iotistic.agent.host.files import read_small
from iotistic.agent.logs.redaction import SECRET_LENGTH_MIN, masked
from iotistic.agent.store.files import StateFiles
from iotistic.engines.docker.credentials import auth_header, registry_logins
from iotistic.model.errors import MASK, IotisticError
from iotistic.model.secret import Secret
from iotistic.model.state_folder import ACCESS_FILE

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

_SMALL_FILE_BYTES_MAX = 4096
_DEPTH_MAX = 64
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,128}:([^\s/@]{1,256})@", re.IGNORECASE)
_URL_LENGTH_MAX = 4096


class Scrubber:
    """Takes known secrets out of texts: as they are, escaped, in base64, and as in a URL."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            text = secret.reveal()
            forms.update(_forms(text))
            for password in _IN_URL.findall(text[:_URL_LENGTH_MAX]):
                forms.update(_forms(password))
        # The longest first, so that of two of which one holds the other nothing is left over.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """The text without them. Shorter ones than six characters stay: they are plain words."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def document(self, document: Any) -> str:
        """A JSON document as text, masked by the names of its fields and by what is known."""
        return self.text(json.dumps(masked(document), ensure_ascii=False, default=str))


def _forms(secret: str) -> Iterator[str]:
    text = secret.strip()
    if len(text) < SECRET_LENGTH_MIN:
        return
    data = text.encode("utf-8", "surrogatepass")
    packed = base64.b64encode(data).decode()
    yield from (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (packed.rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("="))
    yield from (quote(data, safe=""), quote(data), quote_plus(data))


async def known_secrets(rooms: Rooms) -> list[Secret]:
    """Every secret that is kept on this device, or was given to the agent."""
    found = [*_of_identity(rooms), *rooms.settings.secrets()]
    target = await rooms.store.target()
    if target is not None:
        found += [Secret(text) for text in secrets_in([target.apps, target.config])]
    wanted = rooms.reconciler.wanted
    for app in (*wanted.apps, *wanted.good.values()):
        for service in app.services:
            request = service.request
            found += [value for _, value in request.spec.environment]
            found += [value for _, value in request.secret_environment]
            found += [f.content for f in request.folders if f.content is not None]
    files = StateFiles.of(rooms.agent.database_path)
    paths = (files.key, rooms.agent.state_dir / ACCESS_FILE)
    return found + await asyncio.to_thread(lambda: [*_in_files(paths), *_logins()])


def _of_identity(rooms: Rooms) -> Iterator[Secret]:
    identity = rooms.store.identity
    yield from (identity.private_key_pem, identity.hash_key)
    # A line of it alone would be enough to be worth hiding.
    for line in identity.private_key_pem.reveal().splitlines():
        if not line.startswith("-----"):
            yield Secret(line)
    if identity.provisioning_api_key is not None:
        yield identity.provisioning_api_key
    yield from (link.api_key for link in (identity.cloud, identity.farewell) if link)
    if identity.mqtt is not None:
        yield identity.mqtt.password
        yield Secret(identity.mqtt.broker_url)
        yield from (Secret(text) for text in secrets_in(identity.mqtt.broker_config))


def _in_files(paths: Iterable[Any]) -> Iterator[Secret]:
    for path in paths:
        try:
            data = read_small(path, _SMALL_FILE_BYTES_MAX) or b""
        except OSError:
            continue
        yield Secret(data.decode("latin-1"))
        yield Secret(data.hex())
        yield Secret(base64.b64encode(data).decode())


def _logins() -> Iterator[Secret]:
    try:
        logins = registry_logins(os.environ)
    except IotisticError:
        return
    for host, login in logins.items():
        yield login.password
        yield Secret(f"{login.username}:{login.password.reveal()}")
        yield Secret(auth_header(login, host))


def secrets_in(document: Any, *, depth: int = _DEPTH_MAX) -> Iterator[str]:
    """The texts of a document that `masked` hides, found by comparing both."""
    yield from _hidden(document, masked(document), depth)


def _hidden(value: Any, shown: Any, depth: int) -> Iterator[str]:
    if depth == 0 or value == shown:
        return
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        for name, item in value.items():
            yield from _hidden(item, shown.get(str(name)), depth - 1)
    elif isinstance(value, list | tuple) and isinstance(shown, list | tuple):
        for item, told in zip(value, shown, strict=False):
            yield from _hidden(item, told, depth - 1)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _hidden(item, None, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _hidden(item, None, depth - 1)
    elif isinstance(value, str):
        yield from _parts(value, shown)


def _parts(value: str, shown: Any) -> Iterator[str]:
    """The whole text, or, where only a part of it is hidden, that part."""
    if not isinstance(shown, str) or shown == MASK or MASK not in shown:
        yield value
        return
    before, _, after = shown.partition(MASK)
    if value.startswith(before) and value.endswith(after) and MASK not in after:
        yield value[len(before) : len(value) - len(after)]
    else:
        yield value
