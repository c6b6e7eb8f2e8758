"""The state report on the wire: what travels beside the document, and how the two sides agree.

A device that speaks v2 sends the whole document once, then merge patches (`model.merge_patch`)
against the last one the cloud accepted. `base` is the hash of that one, so the cloud knows
whether the patch fits to what it holds; if not it answers 409 with the code `resync`, and the
device sends the whole document again. Both sides use the functions below, hence the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.model.canonical import sha256_hex
from iotistic.model.errors import Conflict
from iotistic.model.merge_patch import apply
from iotistic.model.reader import Fields

BASE = "base"
SEQ = "seq"
_KEPT_WHEN_MISSING = ("apps", "config")


class NeedsResync(Conflict):
    """A patch does not fit to the report that is held: the whole document is wanted."""

    code: str = "resync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What travels with a report and is no part of the document.

    `base` None: the body is a whole document. `seq` counts the reports of one run of the agent.
    """

    base: str | None = None
    seq: int | None = None


def hash_of(document: Mapping[str, Any]) -> str:
    """The hash by which both sides name a document."""
    return sha256_hex(document)


def seal(content: Mapping[str, Any], envelope: Envelope) -> dict[str, Any]:
    """The body to send: a document or a patch with its envelope."""
    body = dict(content)
    if envelope.seq is not None:
        body[SEQ] = envelope.seq
    if envelope.base is not None:
        body[BASE] = envelope.base
    return body


def open_body(raw: object) -> tuple[Envelope, dict[str, Any]]:
    """Envelope and content of a body. Raises InvalidField when it is no object or the envelope
    is not one; the content is not looked into: a report of a newer agent must not be lost.
    """
    fields = Fields(raw, "report")
    envelope = Envelope(
        base=fields.optional_text(BASE, length_max=128), seq=fields.optional_integer(SEQ)
    )
    content = {name: value for name, value in _mapping(raw).items() if name not in (BASE, SEQ)}
    return envelope, content


def merge(
    held: Mapping[str, Any] | None, envelope: Envelope, content: Mapping[str, Any]
) -> dict[str, Any]:
    """The document after a report. Raises NeedsResync when a patch does not fit to `held`.

    A whole document replaces what is held, except that missing `apps` or `config` mean
    "unchanged" (an older agent leaves out what did not change).
    """
    if envelope.base is None:
        kept = [name for name in _KEPT_WHEN_MISSING if name not in content]
        unchanged = {name: held[name] for name in kept if held and name in held}
        # Nulls mean "gone" in a document as well, or the two sides would hash different texts.
        return {**unchanged, **apply({}, content)}
    if held is None or hash_of(held) != envelope.base:
        raise NeedsResync(
            "this report does not build on the one that is held",
            remedy="send the whole report, without base",
        )
    return dict(apply(held, content))


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
